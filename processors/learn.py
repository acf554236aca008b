"""The learner: test, guard, learn on a copy, probe, swap. No I/O; who runs it reads and publishes.

What it has learned and how far it has read are one state: a snapshot carries both, so a restart
neither skips a row nor learns one twice.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from broker.codec import decode, encode, legible_id
from broker.contracts import Feedback, Metrics, Quarantined, Source
from broker.errors import DecodeError
from broker.names import Topics
from broker.records import Outgoing, Record
from models.card import ModelCard
from models.errors import ModelError
from models.runtime import LearningRuntime, answered
from models.schema import Batch, Scalar
from processors.guard import guard
from processors.learn_settings import LearnSettings
from processors.prequential import Prequential


@dataclass(slots=True)
class Counts:
    """What became of the feedback read so far by this process, and of all learned ever."""

    learned: int = 0
    seen: int = 0
    repeated: int = 0
    quarantined: int = 0


@dataclass(slots=True)
class Learner:
    """One model's only writer.

    `offsets` maps "topic:partition" to the next offset to learn; `runtime` is the state that has
    learned everything before.
    """

    card: ModelCard
    runtime: LearningRuntime
    topics: Topics
    settings: LearnSettings = field(default_factory=LearnSettings)
    offsets: dict[str, int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    event_time: int = 0
    prequential: Prequential = field(default_factory=Prequential)
    _known: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _probes: Batch | None = None

    def remember(self, records: Sequence[Record]) -> None:
        """Know the ids of rows learned before a restart again, without learning them."""
        for record in records:
            feedback = self._decode(record)
            if isinstance(feedback, Feedback) and feedback.features is not None:
                self._is_new(feedback.id)

    def absorb(self, records: Sequence[Record]) -> list[Outgoing]:
        """Test then train on a batch of feedback; returns what was quarantined."""
        refused: list[Outgoing] = []
        taught: list[tuple[Record, Feedback]] = []
        for record in records:
            feedback = self._decode(record)
            if isinstance(feedback, DecodeError):
                found = legible_id(record.value or b"") or f"{record.partition}:{record.offset}"
                refused.append(self._quarantine(record, found, feedback.code, str(feedback)))
                continue
            self.prequential.add(feedback)
            self.event_time = max(self.event_time, feedback.label_time)
            if feedback.features is None:
                continue
            if self._is_new(feedback.id):
                taught.append((record, feedback))
            else:
                self.counts.repeated += 1
        refused.extend(self._teach(taught))
        for record in records:
            self.offsets[str(record.home)] = record.offset + 1
        self.counts.seen += len(records)
        self.counts.quarantined += len(refused)
        return refused

    def metrics(self) -> Iterator[Metrics]:
        """The prequential figures so far."""
        return self.prequential.metrics(self.event_time, self.offsets)

    def progress(self, version: int) -> Metrics:
        """How far the learner is: `event_time` is that of the latest label read."""
        return Metrics(
            kind="learner",
            model=self.card.name,
            version=version,
            event_time=self.event_time,
            values={
                "learned": self.counts.learned,
                "seen": self.counts.seen,
                "repeated": self.counts.repeated,
                "quarantined": self.counts.quarantined,
            },
            offsets=dict(self.offsets),
        )

    def _decode(self, record: Record) -> Feedback | DecodeError:
        try:
            return decode(Feedback, record.value)
        except DecodeError as error:
            return error

    def _is_new(self, request_id: str) -> bool:
        if request_id in self._known:
            return False
        self._known[request_id] = None
        if len(self._known) > self.settings.remember:
            self._known.popitem(last=False)
        return True

    def _teach(self, taught: Sequence[tuple[Record, Feedback]]) -> Iterator[Outgoing]:
        rows = [feedback.features or {} for _, feedback in taught]
        checked = guard(self.card, rows, [feedback.label for _, feedback in taught])
        for position, rule, detail in checked.offences:
            record, feedback = taught[position]
            yield self._quarantine(record, feedback.id, rule, detail)
        if not checked.kept:
            return
        for index, error in self._learn(checked.batch, checked.labels, range(len(checked.kept))):
            record, feedback = taught[checked.kept[index]]
            yield self._quarantine(record, feedback.id, "unlearnable", str(error))

    def _learn(
        self, batch: Batch, labels: Sequence[Scalar], places: range
    ) -> Iterator[tuple[int, ModelError | ArithmeticError]]:
        """Learn on a copy and swap it in; when that fails, halve until the bad row is alone."""
        copy = self.runtime.copy()
        try:
            copy.learn(batch, labels)
            self._probe(copy, batch)
        except (ModelError, ArithmeticError) as error:
            if batch.size == 1:
                yield places[0], error
                return
            half = batch.size // 2
            for part in (range(half), range(half, batch.size)):
                rows = batch.take(part)
                taught = [labels[index] for index in part]
                yield from self._learn(rows, taught, places[part.start : part.stop])
            return
        self.runtime = copy
        self.counts.learned += batch.size

    def _probe(self, runtime: LearningRuntime, batch: Batch) -> None:
        """A new state must give finite answers on rows that were answered well before."""
        if self._probes is None or self._probes.size < self.settings.probes:
            known = batch if self._probes is None else Batch.concat([self._probes, batch])
            self._probes = known.take(range(min(known.size, self.settings.probes)))
        if not answered(runtime.predict(self._probes), self.card.task).all():
            raise FloatingPointError("the learned state gives answers that are not finite")

    def _quarantine(self, record: Record, request_id: str, rule: str, detail: str) -> Outgoing:
        refused = Quarantined(
            id=request_id,
            model=self.card.name,
            rule=rule,
            detail=detail,
            source=Source(topic=record.topic, partition=record.partition, offset=record.offset),
        )
        return Outgoing(self.topics.quarantine, record.key, encode(refused))
