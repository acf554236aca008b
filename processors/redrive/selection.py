"""Selection of the dead letters to redrive; `modstream/operations/redrive.py` does the I/O."""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Self

from modstream.broker.wire.dead_letters import read_attempts, read_cause
from modstream.broker.wire.originals import Original, read_original
from modstream.broker.wire.records import Offsets, Record
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Header

MAX_ATTEMPTS = 5


class DeadLetter(NamedTuple):
    """The metadata of a dead letter, without its key and value.

    `position` is the letter's own `topic:partition:offset`; `topic` is the topic its request came
    from, "" if unknown; `timestamp` is the request's (ms since the epoch); `attempts` includes the
    one that produced this letter. `original` is set if the letter has only the head of its value;
    `is_empty` letters stand for records that could not be read.
    """

    position: str
    cause: str
    error: str
    stage: str
    topic: str
    timestamp: int
    attempts: int
    original: Original | None = None
    is_empty: bool = False


class LetterState(StrEnum):
    """Whether a letter can be redriven, and if not, why."""

    DUE = "due"
    """The letter can be redriven."""
    REDRIVEN = "redriven"
    """The letter's request was sent back to its topic before."""
    EXHAUSTED = "exhausted"
    """The letter's request has reached the maximum number of attempts."""
    FOREIGN = "foreign"
    """The letter's request came from a topic that this stream must not write to."""
    UNSENDABLE = "unsendable"
    """The letter has not the whole request, and the original cannot be sent back either."""


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Selects all letters, those of one cause, or one letter by its position.

    Letters with `max_attempts` or more attempts are exhausted.
    """

    cause: str | None = None
    position: str | None = None
    max_attempts: int = MAX_ATTEMPTS

    def matches(self, letter: DeadLetter) -> bool:
        """Return whether the letter is selected; a cause is an error's code or its class name."""
        has_position = self.position is None or self.position == letter.position
        has_cause = self.cause is None or self.cause in {letter.cause, letter.error}
        return has_position and has_cause

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the filter for a position, `topic:partition:offset`, or else for a cause."""
        return cls(position=text) if text.count(":") > 1 else cls(cause=text)


class LetterGroup(NamedTuple):
    """The letters of one cause, stage and topic: their number, in total and by state.

    `first` and `last` are the times of the oldest and newest request (ms since the epoch).
    """

    cause: str
    stage: str
    topic: str
    letters: int
    due: int
    redriven: int
    exhausted: int
    foreign: int
    unsendable: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LetterClassifier:
    """Determines the state of letters.

    `topics` are the topics that letters may be sent back to; `redriven` are the positions of
    letters whose requests were sent back before; `retained` are the first offsets that their
    topics still have.
    """

    topics: Collection[str]
    redriven: AbstractSet[str]
    max_attempts: int
    retained: Offsets = field(default_factory=dict)

    def classify(self, letter: DeadLetter) -> LetterState:
        """Return the state of a letter."""
        if letter.topic not in self.topics:
            return LetterState.FOREIGN
        if letter.position in self.redriven:
            return LetterState.REDRIVEN
        if self.explain_unsendable(letter) is not None:
            return LetterState.UNSENDABLE
        is_exhausted = letter.attempts >= self.max_attempts
        return LetterState.EXHAUSTED if is_exhausted else LetterState.DUE

    def explain_unsendable(self, letter: DeadLetter) -> str | None:
        """Return the reason why the request of a letter cannot be sent back; None if it can."""
        if letter.is_empty:
            return f"{letter.position}: its records could not be read, so there is nothing to send"
        original = letter.original
        if original is None:
            return None
        start = f"{letter.position}: its value was cut, and the original at {original} "
        if original.offset < self.retained.get(original.partition, 0):
            return f"{start}is no longer retained"
        if original.size > MAX_RECORD_BYTES:
            return f"{start}has {original.size:,} bytes, more than a topic takes"
        return None


def read_dead_letter(record: Record) -> DeadLetter:
    """Read the metadata of a record in a dead-letter topic."""
    cause = read_cause(record)
    position = ":".join(cause.get(name, "") for name in ("topic", "partition", "offset"))
    original = read_original(record)
    return DeadLetter(
        record.position,
        cause.get("class.name", "unknown"),
        cause.get("exception.class.name", ""),
        cause.get("stage", ""),
        cause.get("topic", ""),
        record.timestamp,
        read_attempts(record),
        original if str(original) == position else None,
        record.value is None and record.header(Header.SKIPPED) is not None,
    )


def group_letters(letters: Iterable[DeadLetter], classifier: LetterClassifier) -> list[LetterGroup]:
    """Group letters by cause, stage and topic, the largest group first."""
    letters_by_key: dict[tuple[str, str, str], list[DeadLetter]] = {}
    for letter in letters:
        key = (letter.cause, letter.stage, letter.topic)
        letters_by_key.setdefault(key, []).append(letter)
    groups = []
    for (cause, stage, topic), members in letters_by_key.items():
        states = [classifier.classify(letter) for letter in members]
        times = [letter.timestamp for letter in members]
        group = LetterGroup(
            cause=cause,
            stage=stage,
            topic=topic,
            letters=len(members),
            **{state.value: states.count(state) for state in LetterState},
            first=min(times),
            last=max(times),
        )
        groups.append(group)
    return sorted(groups, key=lambda group: -group.letters)


def oldest_by_topic(letters: Iterable[DeadLetter]) -> dict[str, int]:
    """Return the time of the oldest request (ms, at least 0) by the topic that it came from.

    A redriven request keeps its timestamp, so none is older.
    """
    oldest: dict[str, int] = {}
    for letter in letters:
        time = max(0, letter.timestamp)
        oldest[letter.topic] = min(time, oldest.get(letter.topic, time))
    return oldest
