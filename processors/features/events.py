"""Events whose values are aggregated, and how they become texts and numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

REQUESTS = "requests"
LABELS = "labels"
MAX_TEXT = 256
"""The length of a group's value; an event with a longer one belongs to no group."""
MAX_TIME_MS = 2**53
_MAX_INT = 2**63


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a source: a request, a label, or a record of a further topic.

    `time` is its event time in ms, `fields` are its values by name: of a label, the features of
    its request. Of requests and labels, the record's key is among them under the name KEY, if
    some group needs it. `value` is the label. `request_time` is, of a label or an event that
    belongs to a request, the event time of that in ms; without it, the label stays overdue.
    """

    source: str
    time: int
    id: str
    fields: Mapping[str, object] = field(default_factory=dict)
    value: object = None
    request_time: int | None = None


class PartialKey(NamedTuple):
    """What a partial aggregate is of: an aggregation's id, a group's values, a slice's number."""

    aggregation: str
    group: tuple[str, ...]
    slice: int


def text_of(value: object) -> str | None:
    """Return a value as the text by which groups are told apart; None if it is missing.

    Equal numbers have one text: 3 and 3.0 are "3".
    """
    if isinstance(value, str):
        return str(value)
    if value is None or value != value:  # noqa: PLR0124 - NaN, of whatever type
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAX_INT:
        return str(value)
    try:
        number = float(value)  # type: ignore[arg-type]  # the exception says whether it is one
    except (TypeError, ValueError, OverflowError):
        return None
    if type(value).__name__ in {"bool", "bool_"}:
        return "true" if number else "false"
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def number_of(value: object) -> float | None:
    """Return a finite number or a bool as a float; None for all else."""
    if isinstance(value, float | int):
        try:
            number = float(value)
        except OverflowError:
            return None
        # The sum with 0.0 makes one zero of both.
        return number + 0.0 if math.isfinite(number) else None
    return None
