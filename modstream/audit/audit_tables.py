"""What a ledger remembers, as tables of columns: requests, answers, truths, joins, feedback."""

from dataclasses import dataclass, field
from math import nan

from modstream.audit.columns import Column, Numbering
from modstream.models.schema.card import Task

PARTITION_BITS = 48
NO_ID = -1


def _count() -> Column:
    return Column("I")


def _number() -> Column:
    return Column("d", nan)


def _time() -> Column:
    return Column("q")


@dataclass(slots=True)
class Requests:
    """A row per request record, numbered by where it lies, whoever mentions it first.

    `seen` counts the record itself, `again` one that repeats an id; `refused` error answers that
    speak for all models, `dead` dead letters. `named` holds the model of requests that name one.
    """

    rows: Numbering = field(default_factory=Numbering)
    seen: Column = field(default_factory=_count)
    again: Column = field(default_factory=_count)
    id: Column = field(default_factory=lambda: Column("q", NO_ID))
    sent_at: Column = field(default_factory=_time)
    event_time: Column = field(default_factory=_time)
    refused: Column = field(default_factory=_count)
    dead: Column = field(default_factory=_count)
    named: dict[int, str] = field(default_factory=dict)

    def at(self, partition: int, offset: int) -> int:
        """The row of the request that lies there."""
        return self.rows[partition << PARTITION_BITS | offset]


@dataclass(slots=True)
class Answers:
    """One model's answers by request row; of several the first one's content is kept.

    `task` is what the first answer showed of the model, or None.
    """

    task: Task | None = None
    count: Column = field(default_factory=_count)
    errors: Column = field(default_factory=_count)
    version: Column = field(default_factory=_count)
    value: Column = field(default_factory=_number)
    at: Column = field(default_factory=_time)


@dataclass(slots=True)
class Truths:
    """Labels by id number: how many came, the first and the last revision, what became of them.

    `joined` counts feedback records, `set_aside` labels that were late, orphaned, duplicate or
    revised, `missing` predictions given up.
    """

    sent: Column = field(default_factory=_count)
    first: Column = field(default_factory=_number)
    last: Column = field(default_factory=_number)
    revision: Column = field(default_factory=_count)
    joined: Column = field(default_factory=_count)
    set_aside: Column = field(default_factory=_count)
    missing: Column = field(default_factory=_count)


@dataclass(slots=True)
class Joins:
    """One model's joined answers by id number; of several the first one's content is kept."""

    count: Column = field(default_factory=_count)
    version: Column = field(default_factory=_count)
    value: Column = field(default_factory=_number)
    label: Column = field(default_factory=_number)


@dataclass(slots=True)
class Lessons:
    """Feedback offsets by partition that a learner must learn, each exactly once.

    A lesson is the first feedback record of an id that carries features; one that was `released`
    from quarantine is a lesson of the model that it is released for, by model and partition.
    """

    offsets: dict[str, list[int]] = field(default_factory=dict)
    released: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    _taught: set[int] = field(default_factory=set)

    def add(self, home: str, offset: int, number: int) -> None:
        """Note a feedback record with features; one whose id was taught before is no lesson."""
        if number not in self._taught:
            self._taught.add(number)
            self.offsets.setdefault(home, []).append(offset)

    def release(self, model: str, home: str, offset: int) -> None:
        """Note a feedback record that one model is to learn though its guard refused it before."""
        self.released.setdefault(model, {}).setdefault(home, []).append(offset)

    def of(self, model: str) -> dict[str, list[int]]:
        """All lessons of one model, by partition in the order of their offsets."""
        own = self.released.get(model, {})
        return {
            home: sorted([*self.offsets.get(home, []), *own.get(home, [])])
            for home in self.offsets.keys() | own.keys()
        }
