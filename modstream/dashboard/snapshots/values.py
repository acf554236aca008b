"""Values that templates and JSON can show."""

from dataclasses import dataclass
from typing import Literal

Scalar = str | int | float | bool | None
"""A value that a template and JSON can show."""


@dataclass(frozen=True, slots=True)
class Band:
    """The interval that covers a figure with a probability of 95%, and how it was computed.

    `method` is `wilson`, `normal`, or `none`; without a band, `low` and `high` are None and
    `reason` says why.
    """

    low: float | None
    high: float | None
    method: Literal["wilson", "normal", "deviation", "none"]
    reason: str = ""
