"""The learner: scores, validates and learns feedback. No I/O: its caller reads and publishes.

The learned state and the offsets read so far belong together. A published version carries both, so
a restart neither skips a row nor learns one twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from modstream.broker.errors import DecodeError, InternalError
from modstream.broker.loop.isolation import RecordFault, is_fault, log_faults
from modstream.broker.wire.feedback_codec import AnyFeedback, FeedbackDecoder
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord, Record, next_offsets
from modstream.broker.wire.topics import Header, Topics
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.card import ModelCard
from modstream.processors.evaluate.prequential import Prequential
from modstream.processors.guard.guard import FeedbackGuard, TrainingExample
from modstream.processors.guard.hard_rules import Reason, check_times
from modstream.processors.learn.atomic_update import AnyLearningRuntime, AtomicLearner
from modstream.processors.learn.counts import LearnerCounts
from modstream.processors.learn.examples import (
    SeenIds,
    belongs_to,
    is_training_example,
)
from modstream.processors.learn.rejection import reject, set_aside
from modstream.processors.learn.released import WasReleased, never_released
from modstream.processors.learn.settings import LearnSettings
from modstream.processors.learn.trainer import (
    BatchHook,
    ExampleTrainer,
    drift_monitor,
    fault_of,
    no_hook,
)


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
        first_offsets: the offsets from which the next version has learned beyond `card`.
        versions: the classes of the versions that predicted; by default only this model's are
            known.
        prequential: the metrics of the models that predicted.
    """

    card: ModelCard
    runtime: AnyLearningRuntime
    topics: Topics
    settings: LearnSettings = field(default_factory=LearnSettings)
    offsets: dict[str, int] = field(default_factory=dict)
    counts: LearnerCounts = field(default_factory=LearnerCounts)
    event_time: int = 0
    versions: VersionClasses | None = None
    was_released: WasReleased = never_released
    prequential: Prequential = field(init=False)
    first_offsets: dict[str, int] = field(init=False)
    _seen_ids: SeenIds = field(init=False)
    _trainer: ExampleTrainer = field(init=False)
    _decoder: FeedbackDecoder = field(default_factory=FeedbackDecoder)

    def __post_init__(self) -> None:
        """Create the metrics, the guard and the input drift monitor."""
        versions = self.versions = self.versions or VersionClasses(self._find_own_card)
        versions.add(self.card)
        self.prequential = Prequential(self.settings.metrics_window, versions=versions)
        self.first_offsets = dict(self.card.offsets)
        self._seen_ids = SeenIds(self.settings.dedup_ids)
        self._trainer = self._new_trainer(versions)

    @property
    def monitors_input_drift(self) -> bool:
        """Whether the features of learned rows are monitored for drift."""
        return self._trainer.drift is not None

    def disable_input_drift(self) -> None:
        """Stop monitoring input drift, because another learner monitors the same rows."""
        self._trainer.drift = None

    def backfill_ids(self, records: Sequence[Record]) -> None:
        """Take the ids and predictions of feedback read before a restart, without learning it."""
        for record in records:
            try:
                self._backfill(record)
            except BaseException as error:
                # The record was set aside when it was read first.
                if not is_fault(error):
                    raise

    def learn_batch(
        self, records: Sequence[Record], before_learning: BatchHook = no_hook
    ) -> list[ProducerRecord]:
        """Score and learn a batch of feedback; return the quarantine records of rejected rows.

        A record that causes an exception which nobody foresaw is rejected as `internal_error`; the
        state is the one without it.

        Args:
            records: feedback records, in the order of their offsets.
            before_learning: called once with all valid rows before any of them is learned.
        """
        rejected: list[ProducerRecord] = []
        examples: list[TrainingExample] = []
        faults: list[RecordFault] = []
        for record in records:
            try:
                example = self._read_record(record)
            except BaseException as error:
                if not is_fault(error):
                    raise
                faults.append(fault_of(record, error))
                continue
            if isinstance(example, TrainingExample):
                examples.append(example)
            elif example is not None:
                self._trainer.guard.note_violation(record)
                rejected.append(example)
        outcome = self._trainer.train(examples, before_learning)
        self.runtime = self._trainer.atomic.runtime
        rejected += [
            self._reject(example.record, reason, example.feedback.id)
            for example, reason in outcome.rejected
        ]
        faults += outcome.faults
        rejected += [set_aside(one, self.topics.quarantine, self.card.name) for one in faults]
        log_faults(faults)
        self.counts.learned += outcome.learned
        self.counts.internal_errors += len(faults)
        for partition, offset in next_offsets(records).items():
            self.offsets[str(partition)] = offset
        self.counts.seen += len(records)
        self.counts.quarantined += len(rejected)
        return rejected

    def set_aside(self, record: Record, error: InternalError) -> list[ProducerRecord]:
        """Skip a record that cannot be handled; return its quarantine record, unless it was read.

        The record has failed alone, or has ended processes.
        """
        partition = str(record.topic_partition)
        if record.offset < self.offsets.get(partition, 0):
            return []
        self.offsets[partition] = record.offset + 1
        self.counts.seen += 1
        self.counts.quarantined += 1
        self.counts.internal_errors += 1
        return [self._reject(record, (error.code, str(error)))]

    def set_published(self, card: ModelCard) -> None:
        """Set the newest published version of this learner."""
        self.card = card
        self.first_offsets = dict(card.offsets)
        self.prequential.versions.add(card)

    def continue_from(self, card: ModelCard, runtime: AnyLearningRuntime) -> None:
        """Replace the model by a version that somebody else published, or by an earlier one.

        The learner owns `runtime` from now on, and goes on with the rows that neither it nor the
        version has read: what only the former state had learned is given up.
        """
        is_monitoring = self.monitors_input_drift
        self.card, self.runtime = card, runtime
        self.prequential.versions.add(card)
        self._trainer = self._new_trainer(self.prequential.versions)
        if not is_monitoring:
            self.disable_input_drift()
        self.counts.learned = int(card.metrics.get("learned", 0))
        for partition, offset in card.offsets.items():
            self.offsets[partition] = max(offset, self.offsets.get(partition, 0))
        self.first_offsets = dict(self.offsets)

    def skip_to(self, offsets: Mapping[str, int]) -> None:
        """Continue at some offsets; rows before them are not learned."""
        self.offsets |= offsets

    def restore_state(self, runtime: AnyLearningRuntime) -> None:
        """Replace the state by an earlier one, which the learner owns from now on.

        `offsets` stay: the rows learned since the earlier state are not learned again.
        """
        self.runtime = runtime
        self._trainer.atomic = AtomicLearner(runtime, self.card.task, self.settings)

    def metrics(self) -> list[Metrics]:
        """Return the prequential metrics, and the input shifts found since the last call."""
        metrics = self.prequential.metrics(self.event_time, self.offsets)
        shifts, self._trainer.shifts = self._trainer.shifts, {}
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
        self.counts.unscored = self.prequential.unscored
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
            return self._reject(record, (feedback.code, str(feedback)))
        released = self.was_released(record)
        reason = check_times(feedback.event_time, feedback.label_time)
        if reason is None and not released and self._seen_ids.is_reused_by(feedback):
            reason = ("duplicate_id", "a different row with this id was read before")
        if reason is not None:
            return self._reject(record, reason, feedback.id)
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

    def _backfill(self, record: Record) -> None:
        feedback = self._decode(record)
        if not isinstance(feedback, DecodeError) and not self.was_released(record):
            self.prequential.add(feedback)
            if is_training_example(feedback):
                self._seen_ids.add(feedback)

    def _reject(
        self, record: Record, reason: Reason, request_id: str | None = None
    ) -> ProducerRecord:
        return reject(record, self.topics.quarantine, self.card.name, reason, request_id)

    def _new_trainer(self, versions: VersionClasses) -> ExampleTrainer:
        return ExampleTrainer(
            FeedbackGuard(self.card, self.settings.guard, versions),
            AtomicLearner(self.runtime, self.card.task, self.settings),
            drift_monitor(self.settings.input_drift),
        )

    def _find_own_card(self, model: str, _version: int) -> ModelCard | None:
        return self.card if model == self.card.name else None
