"""Select the dead letters to send back; `modstream/operations/redrive.py` does the I/O."""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from modstream.broker.wire.dead_letters import attempts_of, cause_of
from modstream.broker.wire.records import Record

MOST_ATTEMPTS = 5


class Letter(NamedTuple):
    """What a dead letter says of itself, without its bytes.

    `place` is its own `topic:partition:offset`; `topic` is where its request came from, "" if it
    does not say; `timestamp` is the request's (ms, epoch); `attempts` counts this one.
    """

    place: str
    cause: str
    error: str
    stage: str
    topic: str
    timestamp: int
    attempts: int


class State(StrEnum):
    """What may become of a letter."""

    DUE = "due"
    """It may be redriven."""
    REDRIVEN = "redriven"
    """Its request lies in its topic again already."""
    EXHAUSTED = "exhausted"
    """It has been tried too often."""
    FOREIGN = "foreign"
    """It did not come from a topic of this stream, so nobody here may write to that."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant: all, those of one cause, or one; `most_attempts` leaves out more."""

    cause: str | None = None
    letter: str | None = None
    most_attempts: int = MOST_ATTEMPTS

    def means(self, letter: Letter) -> bool:
        """Whether a letter is meant. A cause is named by its code or by its error's class."""
        named = self.letter is None or self.letter == letter.place
        return named and (self.cause is None or self.cause in {letter.cause, letter.error})

    @classmethod
    def named(cls, which: str) -> Self:
        """What a person names: one letter as `topic:partition:offset`, or else a cause."""
        return cls(letter=which) if which.count(":") > 1 else cls(cause=which)


class Group(NamedTuple):
    """The letters of one cause: how many in all and by state, first and last request (ms)."""

    cause: str
    stage: str
    topic: str
    letters: int
    due: int
    redriven: int
    exhausted: int
    foreign: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Sorter:
    """Tells the state of letters.

    `topics` are the stream's own; `sent` the places of letters whose requests lie there again.
    """

    topics: Collection[str]
    sent: AbstractSet[str]
    most_attempts: int

    def state(self, letter: Letter) -> State:
        """What may become of this letter."""
        if letter.topic not in self.topics:
            return State.FOREIGN
        if letter.place in self.sent:
            return State.REDRIVEN
        return State.EXHAUSTED if letter.attempts >= self.most_attempts else State.DUE


def letter_of(record: Record) -> Letter:
    """Read a record of a dead-letter topic."""
    cause = cause_of(record)
    return Letter(
        record.place,
        cause.get("class.name", "unknown"),
        cause.get("exception.class.name", ""),
        cause.get("stage", ""),
        cause.get("topic", ""),
        record.timestamp,
        attempts_of(record),
    )


def grouped(letters: Iterable[Letter], sorter: Sorter) -> list[Group]:
    """Letters by cause, stage and topic, the largest group first."""
    groups: dict[tuple[str, str, str], list[Letter]] = {}
    for letter in letters:
        groups.setdefault((letter.cause, letter.stage, letter.topic), []).append(letter)
    found = []
    for (cause, stage, topic), members in groups.items():
        states = [sorter.state(letter) for letter in members]
        times = [letter.timestamp for letter in members]
        group = Group(
            cause=cause,
            stage=stage,
            topic=topic,
            letters=len(members),
            **{state.value: states.count(state) for state in State},
            first=min(times),
            last=max(times),
        )
        found.append(group)
    return sorted(found, key=lambda group: -group.letters)


def oldest(letters: Iterable[Letter]) -> dict[str, int]:
    """The time of the oldest request (ms, at least 0) by the topic that letters came from.

    A redriven request keeps its time, so none of them is older than that.
    """
    found: dict[str, int] = {}
    for letter in letters:
        time = max(0, letter.timestamp)
        found[letter.topic] = min(time, found.get(letter.topic, time))
    return found
