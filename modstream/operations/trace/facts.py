"""What an account is made of. Times are ms since the epoch, places `topic:partition:offset`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modstream.operations.trace.effect import Lesson, Score


@dataclass(frozen=True, slots=True)
class Asked:
    """One sending of the request; `fault` says why it is illegible.

    `model` None asks every model of the route; `asked_as` is the version or alias asked for.
    """

    place: str
    at: int
    key: str | None
    attempts: int
    redrive_of: str | None
    model: str | None = None
    asked_as: int | str | None = None
    event_time: int | None = None
    features: Any = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer; `source` is the request's place, `fence` where this version began to answer."""

    place: str
    at: int
    source: str
    model: str | None
    asked_as: int | str | None
    version: int | None = None
    outputs: Any = None
    sha256: str | None = None
    parent: int | None = None
    fence: str | None = None
    error: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Buried:
    """A dead letter."""

    place: str
    at: int
    attempts: int
    cause: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Truth:
    """A label as it was sent; `event_time` is when it became known (ms)."""

    place: str
    at: int
    label: Any
    revision: int
    event_time: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A feedback record: what was true, how good each answer was, and who learned from it."""

    place: str
    at: int
    label: Any
    scores: tuple[Score, ...]
    lessons: tuple[Lesson, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A label or a prediction that the joiner left alone, and why."""

    place: str
    at: int
    reason: str
    label: Any


@dataclass(frozen=True, slots=True)
class Served:
    """What a fence says: from `source` on this version answers those who ask by `asked_as`."""

    source: str
    model: str
    asked_as: int | str
    version: int
    sha256: str
    parent: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """All that the topics say of one request; `fate` sums its label up.

    `served` is told only where the request itself is no longer there: who answered at its place.
    """

    id: str
    fate: str
    requests: tuple[Asked, ...] = ()
    answers: tuple[Answered, ...] = ()
    dead_letters: tuple[Buried, ...] = ()
    labels: tuple[Truth, ...] = ()
    joined: tuple[Joined, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    served: tuple[Served, ...] = ()
