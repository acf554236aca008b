"""What became of one request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from modstream.dashboard.snapshots.values import Scalar

FactKind = Literal[
    "request", "prediction", "refusal", "dead_letter", "label", "feedback", "learning", "unjoined",
    "version_marker",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class TraceFact:
    """One thing that happened to a request.

    `sentence` says it in words, `details` are facts without values of the request. `values` are
    features, outputs and labels as JSON texts, and texts that may contain them, such as messages of
    errors; they are cut, and empty unless they were asked for.
    `at` is None if the fact has no time of its own.
    """

    at: int | None
    kind: FactKind
    sentence: str
    position: str
    details: Mapping[str, Scalar] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestView:
    """What became of one request: the facts in the order of their times.

    `is_found` is False if no record has the id. `is_complete` is False if the search was ended by
    its time limit; `remark` then says what to do, for example the command that searches on.
    `left_out` counts facts beyond the limit.
    """

    id: str
    is_found: bool
    is_complete: bool
    label_status: str
    facts: tuple[TraceFact, ...]
    left_out: int
    remark: str
    seconds: float
