"""What was set aside, by reason: unjoined labels, quarantined rows, dead letters. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field

from modstream.audit.names import MAX_COUNTED_NAMES, OTHERS
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Unjoined
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.dashboard.snapshots import DeadLetterCause, LetterExample, ReasonCount
from modstream.dashboard.texts import cut, cut_key
from modstream.dashboard.window import BucketCounts
from modstream.processors.redrive.release import read_quarantined_row
from modstream.processors.redrive.selection import read_dead_letter

MINUTE_MS = 60_000
MAX_EXAMPLES = 5
"""Number of the newest dead letters of each cause that are kept."""
MAX_MESSAGE = 300
"""Number of characters of an error's message that are kept."""

Order = tuple[int, str]
"""Timestamp and position of a record."""


@dataclass(slots=True)
class CountedReason:
    """The records of one reason by minute, and the newest of them."""

    counts: BucketCounts = field(default_factory=lambda: BucketCounts(MINUTE_MS))
    newest: Order = (-1, "")
    message: str = ""
    examples: list[LetterExample] = field(default_factory=list)


ReasonKey = tuple[str, str]
"""A reason, and the model or stage that it is about; "" if unknown."""


@dataclass(slots=True)
class ReasonTable:
    """Records by reason, for at most `MAX_COUNTED_NAMES` reasons; the rest count as others."""

    reasons: dict[ReasonKey, CountedReason] = field(default_factory=dict)

    def add(self, key: ReasonKey, record: Record) -> CountedReason:
        """Count a record and return the counts of its reason."""
        if key not in self.reasons and len(self.reasons) >= MAX_COUNTED_NAMES:
            key = (OTHERS, "")
        found = self.reasons.setdefault(key, CountedReason())
        found.counts.add(record.timestamp)
        return found

    def forget_before(self, start: int) -> None:
        """Forget the records from before `start` (ms), and reasons without any other record."""
        for key, counted in list(self.reasons.items()):
            counted.counts.forget_before(start)
            if counted.counts.newest() < 0:
                del self.reasons[key]
            counted.examples = [one for one in counted.examples if one.at >= start]

    def view(self) -> tuple[ReasonCount, ...]:
        """Return the counts by reason, the most frequent first."""
        found = [
            ReasonCount(reason, model, one.counts.sum(), one.newest[0])
            for (reason, model), one in self.reasons.items()
        ]
        return tuple(sorted(found, key=lambda one: (-one.count, one.reason, one.model)))


class SetAside:
    """A fold over the records that were set aside, in any order."""

    def __init__(self, topics: Topics) -> None:
        self.unjoined = ReasonTable()
        self.quarantine = ReasonTable()
        self.letters = ReasonTable()
        self._handlers: dict[str, Callable[[Record], None]] = {
            topics.unjoined: self._add_unjoined,
            topics.quarantine: self._add_quarantined,
            topics.dlq: self._add_dead_letter,
        }

    def add(self, record: Record) -> None:
        """Add a record; those of other topics are ignored."""
        handle = self._handlers.get(record.topic)
        if handle is not None:
            handle(record)

    def forget_before(self, start: int) -> None:
        """Forget the records from before `start` (ms)."""
        for table in (self.unjoined, self.quarantine, self.letters):
            table.forget_before(start)

    def dead_letters(self) -> tuple[DeadLetterCause, ...]:
        """Return the dead letters by cause, the most frequent first."""
        found = [
            DeadLetterCause(
                cause=cause,
                stage=stage,
                count=one.counts.sum(),
                last_at=one.newest[0],
                message=one.message,
                examples=tuple(one.examples),
            )
            for (cause, stage), one in self.letters.reasons.items()
        ]
        return tuple(sorted(found, key=lambda one: (-one.count, one.cause, one.stage)))

    def _add_unjoined(self, record: Record) -> None:
        try:
            reason = decode(Unjoined, record.value).reason.value
        except DecodeError as error:
            reason = error.code
        note_newest(self.unjoined.add((reason, ""), record), record)

    def _add_quarantined(self, record: Record) -> None:
        letter = read_quarantined_row(record)
        note_newest(self.quarantine.add((cut(letter.cause), cut(letter.stage)), record), record)

    def _add_dead_letter(self, record: Record) -> None:
        letter, cause = read_dead_letter(record), read_cause(record)
        counted = self.letters.add((cut(letter.cause), cut(letter.stage)), record)
        if note_newest(counted, record):
            counted.message = cut(cause.get("exception.message", ""), MAX_MESSAGE)
        source = (cause.get(name, "?") for name in ("topic", "partition", "offset"))
        example = LetterExample(
            position=record.position,
            request=cut(":".join(source), 300),
            key=cut_key(record.key),
            at=record.timestamp,
            attempts=letter.attempts,
        )
        counted.examples.append(example)
        counted.examples.sort(key=lambda one: (one.at, one.position), reverse=True)
        del counted.examples[MAX_EXAMPLES:]


def note_newest(counted: CountedReason, record: Record) -> bool:
    """Note that a record has a reason, and return whether it is the newest with it."""
    order = (record.timestamp, record.position)
    if order <= counted.newest:
        return False
    counted.newest = order
    return True
