"""The learner: scores, validates and learns feedback. No I/O: its caller reads and publishes.

The learned state and the offsets read so far belong together. A published version carries both, so
a restart neither skips a row nor learns one twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import salvage_id
from modstream.broker.wire.contracts import Quarantined, SourcePosition
from modstream.broker.wire.feedback_codec import AnyFeedback, FeedbackDecoder
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.quarantine import build_quarantined_record
from modstream.broker.wire.records import ProducerRecord, Record, next_offsets
from modstream.broker.wire.topics import Header, Topics
from modstream.models.evaluation.input_drift import InputDriftMonitor
from modstream.models.runtimes.runtime import LearningRuntime
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch
from modstream.processors.evaluate.prequential import Prequential
from modstream.processors.guard.guard import FeedbackGuard, TrainingExample
from modstream.processors.guard.hard_rules import Violation, check_times
from modstream.processors.learn.atomic_update import AtomicLearner
from modstream.processors.learn.examples import (
    SeenIds,
    belongs_to,
    is_released,
    is_training_example,
)
from modstream.processors.learn.settings import InputDriftSettings, LearnSettings


@dataclass(slots=True)
class LearnerCounts:
    """Numbers of feedback records since the start; `learned` is the total of all processes."""

    learned: int = 0
    seen: int = 0
    repeated: int = 0
    revised: int = 0
    quarantined: int = 0


BatchHook = Callable[[Batch, Sequence[Scalar], Sequence[int]], None]
"""Called with valid rows, their labels, and the event times (ms) of their requests."""


def no_hook(_batch: Batch, _labels: Sequence[Scalar], _request_times: Sequence[int]) -> None:
    """Do nothing before a batch is learned."""


@dataclass(slots=True)
class Learner:
    """The only writer of one model's state. Not thread-safe: one thread calls all methods.

    Attributes:
        card: the newest published version.
        runtime: the state, which has learned everything before `offsets`.
        topics: the topics of the stream.
        settings: how to learn.
        offsets: the next offset to learn of each partition, by "topic:partition".
        counts: numbers of feedback records.
        event_time: the latest label time read, ms since the epoch.
        prequential: the metrics of the models that predicted.
    """

    card: ModelCard
    runtime: LearningRuntime
    topics: Topics
    settings: LearnSettings = field(default_factory=LearnSettings)
    offsets: dict[str, int] = field(default_factory=dict)
    counts: LearnerCounts = field(default_factory=LearnerCounts)
    event_time: int = 0
    prequential: Prequential = field(init=False)
    _input_drift: InputDriftMonitor | None = field(init=False)
    _input_shifts: dict[str, float] = field(default_factory=dict)
    _seen_ids: SeenIds = field(init=False)
    _guard: FeedbackGuard = field(init=False)
    _atomic: AtomicLearner = field(init=False)
    _decoder: FeedbackDecoder = field(default_factory=FeedbackDecoder)

    def __post_init__(self) -> None:
        """Create the metrics, the guard and the input drift monitor."""
        self.prequential = Prequential(self.settings.metrics_window)
        self._input_drift = drift_monitor(self.settings.input_drift)
        self._seen_ids = SeenIds(self.settings.dedup_ids)
        self._guard = FeedbackGuard(self.card, self.settings.guard)
        self._atomic = AtomicLearner(self.runtime, self.card.task, self.settings)

    @property
    def monitors_input_drift(self) -> bool:
        """Whether the features of learned rows are monitored for drift."""
        return self._input_drift is not None

    def disable_input_drift(self) -> None:
        """Stop monitoring input drift, because another learner monitors the same rows."""
        self._input_drift = None

    def backfill_ids(self, records: Sequence[Record]) -> None:
        """Take the ids and predictions of feedback read before a restart, without learning it."""
        for record in records:
            feedback = self._decode(record)
            if not isinstance(feedback, DecodeError) and not is_released(record):
                self.prequential.add(feedback)
                if is_training_example(feedback):
                    self._seen_ids.add(feedback)

    def learn_batch(
        self, records: Sequence[Record], before_learning: BatchHook = no_hook
    ) -> list[ProducerRecord]:
        """Score and learn a batch of feedback; return the quarantine records of rejected rows.

        Args:
            records: feedback records, in the order of their offsets.
            before_learning: called once with all valid rows before any of them is learned.
        """
        rejected: list[ProducerRecord] = []
        examples: list[TrainingExample] = []
        for record in records:
            example = self._read_record(record)
            if isinstance(example, TrainingExample):
                examples.append(example)
            elif example is not None:
                self._guard.note_violation(record)
                rejected.append(example)
        rejected += self._validate_and_learn(examples, before_learning)
        for partition, offset in next_offsets(records).items():
            self.offsets[str(partition)] = offset
        self.counts.seen += len(records)
        self.counts.quarantined += len(rejected)
        return rejected

    def set_published(self, card: ModelCard) -> None:
        """Set the newest published version of this learner."""
        self.card = card

    def skip_to(self, offsets: Mapping[str, int]) -> None:
        """Continue at some offsets; rows before them are not learned."""
        self.offsets |= offsets

    def restore_state(self, runtime: LearningRuntime) -> None:
        """Replace the state by an earlier one, which the learner owns from now on.

        `offsets` stay: the rows learned since the earlier state are not learned again.
        """
        self.runtime = runtime
        self._atomic = AtomicLearner(runtime, self.card.task, self.settings)

    def metrics(self) -> list[Metrics]:
        """Return the prequential metrics, and the input shifts found since the last call."""
        metrics = self.prequential.metrics(self.event_time, self.offsets)
        shifts, self._input_shifts = self._input_shifts, {}
        if shifts:
            drift = Metrics(
                kind="input_drift",
                model=self.card.name,
                event_time=self.event_time,
                values=shifts,
                offsets=dict(self.offsets),
            )
            metrics.append(drift)
        return metrics

    def progress(self, version: int) -> Metrics:
        """Return the counts and offsets so far; their event time is that of the latest label."""
        return Metrics(
            kind="learner",
            model=self.card.name,
            version=version,
            event_time=self.event_time,
            values=asdict(self.counts),
            offsets=dict(self.offsets),
        )

    def _read_record(self, record: Record) -> TrainingExample | ProducerRecord | None:
        """Score the predictions of a record; return its training example or quarantine record.

        None is returned for feedback that is not to be learned by this model.
        """
        feedback = self._decode(record)
        if isinstance(feedback, DecodeError):
            request_id = salvage_id(record.value or b"") or f"{record.partition}:{record.offset}"
            return self._quarantine(record, request_id, feedback.code, str(feedback))
        released = is_released(record)
        reason = check_times(feedback.event_time, feedback.label_time)
        if reason is None and not released and self._seen_ids.is_reused_by(feedback):
            reason = ("duplicate_id", "a different row with this id was read before")
        if reason is not None:
            return self._quarantine(record, feedback.id, *reason)
        if released:
            is_own = record.header(Header.MODEL) == self.card.name.encode()
            return TrainingExample(record, feedback, is_released=True) if is_own else None
        self.prequential.add(feedback)
        self.event_time = max(self.event_time, feedback.label_time)
        self.counts.revised += feedback.revises is not None
        if not is_training_example(feedback) or not belongs_to(self.card, feedback):
            return None
        if self._seen_ids.add(feedback):
            return TrainingExample(record, feedback)
        self.counts.repeated += 1
        return None

    def _decode(self, record: Record) -> AnyFeedback | DecodeError:
        try:
            return self._decoder.decode(record.value)
        except DecodeError as error:
            return error

    def _validate_and_learn(
        self, examples: Sequence[TrainingExample], before_learning: BatchHook
    ) -> list[ProducerRecord]:
        checked = self._guard.check(examples)
        violations = list(checked.violations)
        if checked.kept:
            times = [examples[position].feedback.event_time for position in checked.kept]
            before_learning(checked.batch, checked.labels, times)
            if self._input_drift is not None:
                self._input_shifts |= self._input_drift.update(checked.batch)
            failed = self._atomic.learn_each(checked.batch, checked.labels)
            violations += [Violation(checked.kept[row], *reason) for row, *reason in failed]
            self.counts.learned += len(checked.kept) - len(failed)
            self.runtime = self._atomic.runtime
        return [
            self._quarantine(examples[at].record, examples[at].feedback.id, rule, detail)
            for at, rule, detail in violations
        ]

    def _quarantine(
        self, record: Record, request_id: str, rule: str, detail: str
    ) -> ProducerRecord:
        rejected = Quarantined(
            id=request_id,
            model=self.card.name,
            rule=rule,
            detail=detail,
            source=SourcePosition(
                topic=record.topic, partition=record.partition, offset=record.offset
            ),
        )
        return build_quarantined_record(record, self.topics.quarantine, rejected)


def drift_monitor(settings: InputDriftSettings) -> InputDriftMonitor | None:
    """Return an input drift monitor, or None if it is switched off."""
    if not settings.sample_every:
        return None
    return InputDriftMonitor(settings.delta, settings.sample_every)
