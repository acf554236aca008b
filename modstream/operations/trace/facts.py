"""The entries of a request's story. Times are ms since the epoch.

Positions are `topic:partition:offset`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modstream.operations.trace.effect import LearningOutcome, PredictionScore


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One record of the request; `decode_error` is set if it violates its contract.

    A request with `model` None is for each model of the route; `ref` is the requested version or
    alias.
    """

    position: str
    timestamp: int
    key: str | None
    attempts: int
    redrive_of: str | None
    model: str | None = None
    ref: int | str | None = None
    event_time: int | None = None
    features: Any = None
    decode_error: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseEntry:
    """One response to the request at position `source`.

    `version_marker` is the position of the first request that this version served.
    """

    position: str
    timestamp: int
    source: str
    model: str | None
    ref: int | str | None
    version: int | None = None
    outputs: Any = None
    sha256: str | None = None
    parent: int | None = None
    version_marker: str | None = None
    error: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetterEntry:
    """A dead letter."""

    position: str
    timestamp: int
    attempts: int
    cause: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """A label; `event_time` is when it became known (ms).

    `row` is the number of the request's row, here and below; None if the label names none.
    """

    position: str
    timestamp: int
    label: Any
    revision: int
    event_time: int
    row: int | None = None


@dataclass(frozen=True, slots=True)
class FeedbackEntry:
    """A feedback record: the label, the score of each prediction, and what learners did with it."""

    position: str
    timestamp: int
    label: Any
    scores: tuple[PredictionScore, ...]
    learning: tuple[LearningOutcome, ...]
    row: int | None = None


@dataclass(frozen=True, slots=True)
class UnjoinedEntry:
    """A label or a prediction that the joiner did not join, and the reason."""

    position: str
    timestamp: int
    reason: str
    label: Any
    row: int | None = None


@dataclass(frozen=True, slots=True)
class VersionMarkerEntry:
    """A version marker: from `source` on, this version serves requests for `ref`."""

    source: str
    model: str
    ref: int | str
    version: int
    sha256: str
    parent: int | None


@dataclass(frozen=True, slots=True)
class RequestStory:
    """All records of one request; `label_status` summarizes the outcome of its label.

    `version_markers` is set only if the request itself was deleted by retention: the versions that
    served at its position.
    """

    id: str
    label_status: str
    requests: tuple[RequestEntry, ...] = ()
    responses: tuple[ResponseEntry, ...] = ()
    dead_letters: tuple[DeadLetterEntry, ...] = ()
    labels: tuple[LabelEntry, ...] = ()
    feedback: tuple[FeedbackEntry, ...] = ()
    unjoined: tuple[UnjoinedEntry, ...] = ()
    version_markers: tuple[VersionMarkerEntry, ...] = ()
