"""The labels at one moment: delays, coverage, and what was set aside."""

from collections.abc import Mapping
from dataclasses import dataclass

from modstream.dashboard.snapshots.models import Coverage
from modstream.dashboard.snapshots.stream import History


@dataclass(frozen=True, slots=True)
class DelayBucket:
    """Labels whose delay is at most `upper` ms and more than the bucket before."""

    upper: int
    labels: int


@dataclass(frozen=True, slots=True)
class VersionCoverage:
    """The label coverage of one version of a model."""

    model: str
    version: int
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How often something happened for a reason, and when last; `model` is "" if unknown."""

    reason: str
    model: str
    count: int
    last_at: int


@dataclass(frozen=True, slots=True)
class LetterExample:
    """A dead letter, without its contents: its position, the request's key, and its time."""

    position: str
    request: str
    key: str
    at: int
    attempts: int


@dataclass(frozen=True, slots=True)
class DeadLetterCause:
    """The dead letters of one cause: their number, the message of the newest, newest examples."""

    cause: str
    stage: str
    count: int
    last_at: int
    message: str
    examples: tuple[LetterExample, ...]


@dataclass(frozen=True, slots=True)
class LabelsView:
    """Labels: how late they are, how many predictions have one, and what was set aside.

    Attributes:
        delays: the histogram of label delays, since the joiner's state began; without the bounds
            that no label has.
        delay_p50: bound in ms that half of the labels do not exceed; the other two alike.
        coverage: the newest coverage of each version, those with most predictions first.
        joiner: the newest counters of the joiner by name, such as `joined`, `late`, `open`.
        unjoined: labels and predictions that were not joined within the history, by reason.
        quarantine: rows that the guard rejected within the history, by rule and model.
        dead_letters: requests that became dead letters within the history, by cause.
        labels: labels within the history.
    """

    now: int
    revision: int
    history: History
    delays: tuple[DelayBucket, ...]
    delay_p50: int | None
    delay_p90: int | None
    delay_p99: int | None
    coverage: tuple[VersionCoverage, ...]
    joiner: Mapping[str, float]
    unjoined: tuple[ReasonCount, ...]
    quarantine: tuple[ReasonCount, ...]
    dead_letters: tuple[DeadLetterCause, ...]
    labels: int
