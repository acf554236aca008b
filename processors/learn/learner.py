"""The learner: test, guard, learn, probe. No I/O; who runs it reads and publishes.

What it has learned and how far it has read are one state: a snapshot carries both, so a restart
neither skips a row nor learns one twice.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import legible_id
from modstream.broker.wire.contracts import Metrics, Quarantined, Source
from modstream.broker.wire.feedback_codec import FeedbackReader, Told
from modstream.broker.wire.quarantine import quarantine
from modstream.broker.wire.records import Outgoing, Record, next_offsets
from modstream.broker.wire.topics import Header, Topics
from modstream.models.errors import ModelError
from modstream.models.evaluation.input_drift import InputWatch
from modstream.models.runtimes.runtime import LearningRuntime
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, Scalar
from modstream.processors.evaluate.prequential import Prequential
from modstream.processors.guard.guard import Lesson, Safeguard
from modstream.processors.guard.hard_rules import Offence, time_fault
from modstream.processors.learn.atomic_update import Workbench
from modstream.processors.learn.examples import fingerprint, is_meant_for, is_released, teaches
from modstream.processors.learn.settings import LearnSettings


@dataclass(slots=True)
class Counts:
    """What became of the feedback read so far by this process, and of all learned ever."""

    learned: int = 0
    seen: int = 0
    repeated: int = 0
    revised: int = 0
    quarantined: int = 0


Test = Callable[[Batch, Sequence[Scalar], Sequence[int]], None]
"""Given rows, their labels, and the event times (ms) of their requests."""


def untested(_batch: Batch, _labels: Sequence[Scalar], _asked_at: Sequence[int]) -> None:
    """Nobody is tested on what is about to be learned."""


@dataclass(slots=True)
class Learner:
    """One model's only writer.

    `offsets` maps "topic:partition" to the next offset to learn; `runtime` is the state that has
    learned everything before. `test` sees each batch that passed the guard before it is learned,
    and so does `inputs`, if the rows are to be watched for a change.
    """

    card: ModelCard
    runtime: LearningRuntime
    topics: Topics
    settings: LearnSettings = field(default_factory=LearnSettings)
    offsets: dict[str, int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    event_time: int = 0
    test: Test = untested
    prequential: Prequential = field(init=False)
    inputs: InputWatch | None = field(init=False)
    _moved: dict[str, float] = field(default_factory=dict)
    _known: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _safeguard: Safeguard = field(init=False)
    _bench: Workbench = field(init=False)
    _reader: FeedbackReader = field(default_factory=FeedbackReader)

    def __post_init__(self) -> None:
        self.prequential = Prequential(self.settings.window)
        watch = self.settings.inputs
        self.inputs = InputWatch(watch.sensitivity, watch.every) if watch.every else None
        self._safeguard = Safeguard(self.card, self.settings.guard)
        self._bench = Workbench(self.runtime, self.card.task, self.settings)

    def remember(self, records: Sequence[Record]) -> None:
        """Know rows read before a restart again, their ids and figures, without learning them."""
        for record in records:
            feedback = self._decode(record)
            if not isinstance(feedback, DecodeError) and not is_released(record):
                self.prequential.add(feedback)
                if teaches(feedback):
                    self._is_new(feedback)

    def absorb(self, records: Sequence[Record]) -> list[Outgoing]:
        """Test then train on a batch of feedback; returns what was quarantined."""
        refused: list[Outgoing] = []
        lessons: list[Lesson] = []
        for record in records:
            read = self._read(record)
            if isinstance(read, Lesson):
                lessons.append(read)
            elif read is not None:
                self._safeguard.offended(record)
                refused.append(read)
        refused.extend(self._teach(lessons))
        for home, offset in next_offsets(records).items():
            self.offsets[str(home)] = offset
        self.counts.seen += len(records)
        self.counts.quarantined += len(refused)
        return refused

    def go_back(self, runtime: LearningRuntime) -> None:
        """Go on from an earlier state, which is the learner's from now on.

        How far it has read stays: what was learned since that state is given up.
        """
        self.runtime = runtime
        self._bench = Workbench(runtime, self.card.task, self.settings)

    def metrics(self) -> Iterator[Metrics]:
        """The prequential figures so far, and what has moved among the inputs since the last."""
        yield from self.prequential.metrics(self.event_time, self.offsets)
        moved, self._moved = self._moved, {}
        if moved:
            yield Metrics(
                kind="inputs",
                model=self.card.name,
                event_time=self.event_time,
                values=moved,
                offsets=dict(self.offsets),
            )

    def progress(self, version: int) -> Metrics:
        """How far the learner is: `event_time` is that of the latest label read."""
        return Metrics(
            kind="learner",
            model=self.card.name,
            version=version,
            event_time=self.event_time,
            values=asdict(self.counts),
            offsets=dict(self.offsets),
        )

    def _read(self, record: Record) -> Lesson | Outgoing | None:
        """Score what a record says of predictions; return the row it teaches, or its refusal."""
        feedback = self._decode(record)
        if isinstance(feedback, DecodeError):
            found = legible_id(record.value or b"") or f"{record.partition}:{record.offset}"
            return self._quarantine(record, found, feedback.code, str(feedback))
        released = is_released(record)
        fault = time_fault(feedback.event_time, feedback.label_time)
        if fault is None and not released:
            fault = self._id_fault(feedback)
        if fault is not None:
            return self._quarantine(record, feedback.id, *fault)
        if released:
            ours = record.header(Header.MODEL) == self.card.name.encode()
            return Lesson(record, feedback, released=True) if ours else None
        self.prequential.add(feedback)
        self.event_time = max(self.event_time, feedback.label_time)
        self.counts.revised += feedback.revises is not None
        if not teaches(feedback) or not is_meant_for(self.card, feedback):
            return None
        if self._is_new(feedback):
            return Lesson(record, feedback)
        self.counts.repeated += 1
        return None

    def _decode(self, record: Record) -> Told | DecodeError:
        try:
            return self._reader.read(record.value)
        except DecodeError as error:
            return error

    def _id_fault(self, feedback: Told) -> tuple[str, str] | None:
        """Whether another row has come under this id before."""
        known = self._known.get(feedback.id)
        if known is None or not teaches(feedback) or known == fingerprint(feedback):
            return None
        return ("duplicate_id", "another row has come under this id")

    def _is_new(self, feedback: Told) -> bool:
        """Whether a row's id has not come before; it is known from now on."""
        if feedback.id in self._known:
            return False
        self._known[feedback.id] = fingerprint(feedback)
        if len(self._known) > self.settings.remember:
            self._known.popitem(last=False)
        return True

    def _teach(self, lessons: Sequence[Lesson]) -> Iterator[Outgoing]:
        checked = self._safeguard.check(lessons)
        for position, rule, detail in checked.offences:
            yield self._refuse(lessons[position], rule, detail)
        if not checked.kept:
            return
        asked_at = [lessons[position].feedback.event_time for position in checked.kept]
        self.test(checked.batch, checked.labels, asked_at)
        if self.inputs is not None:
            self._moved |= self.inputs.add(checked.batch)
        for index, rule, detail in self._learn(checked.batch, checked.labels):
            yield self._refuse(lessons[checked.kept[index]], rule, detail)

    def _learn(self, batch: Batch, labels: Sequence[Scalar]) -> Iterator[Offence]:
        """Learn rows; when that fails, halve them until the bad row is alone."""
        pending = [range(batch.size)]
        while pending:
            part = pending.pop()
            if not self._bench.has_room():
                yield from (
                    Offence(at, "model_full", "the model is too large to learn more") for at in part
                )
                continue
            whole = len(part) == batch.size
            rows = batch if whole else batch.take(part)
            try:
                self._bench.learn(rows, [labels[at] for at in part])
            except (ModelError, ArithmeticError) as error:
                if len(part) == 1:
                    yield Offence(part[0], "unlearnable", str(error))
                else:
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
            else:
                self.counts.learned += len(part)
            self.runtime = self._bench.runtime

    def _refuse(self, lesson: Lesson, rule: str, detail: str) -> Outgoing:
        return self._quarantine(lesson.record, lesson.feedback.id, rule, detail)

    def _quarantine(self, record: Record, request_id: str, rule: str, detail: str) -> Outgoing:
        refused = Quarantined(
            id=request_id,
            model=self.card.name,
            rule=rule,
            detail=detail,
            source=Source(topic=record.topic, partition=record.partition, offset=record.offset),
        )
        return quarantine(record, self.topics.quarantine, refused)
