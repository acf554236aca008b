"""Hard rules: a row must be well typed, finite and in range, and its label in the task's domain.

`processors/guard/guard.py` adds the rules that depend on other rows. A single NaN ruins a River
pipeline for good, and a label of the wrong type breaks a tree on every later call
(docs/learning.md has the measurement). Every row therefore passes these rules before it is learned.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from sys import maxsize
from typing import NamedTuple

import numpy as np

from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch, InputSchema

YEAR_10000 = 253_402_300_800_000
"""The start of the year 10000, in milliseconds since the epoch."""

Reason = tuple[str, str]
"""A rule's stable name, and the details."""


class Violation(NamedTuple):
    """A rejected row: its position, the stable name of the rule, and the details."""

    position: int
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class ValidatedBatch:
    """The valid rows, their labels and positions, and the violations of the other rows."""

    batch: Batch
    labels: list[Scalar]
    kept: list[int]
    violations: list[Violation]

    def excluding(self, positions: Collection[int]) -> "ValidatedBatch":
        """Return this batch without the valid rows at some positions; violations are unchanged."""
        valid = [index for index, position in enumerate(self.kept) if position not in positions]
        if len(valid) == len(self.kept):
            return self
        labels = [self.labels[index] for index in valid]
        kept = [self.kept[index] for index in valid]
        return ValidatedBatch(self.batch.take(valid), labels, kept, self.violations)


def validate(
    card: ModelCard,
    rows: Sequence[Mapping[str, object]],
    labels: Sequence[Scalar],
    max_unknown: int = 0,
) -> ValidatedBatch:
    """Split labelled rows into valid rows and violations; no row raises an exception.

    Features unknown to the schema are dropped. A row with more than `max_unknown` of them is a
    violation; 0 sets no limit.
    """
    checked = card.input_schema.parse_rows(rows)
    violations = [Violation(at, error.code, str(error)) for at, error in checked.errors.items()]
    outside = out_of_range(card.input_schema, checked.batch)
    max_features = len(card.input_schema.features) + (max_unknown or maxsize)
    valid: list[int] = []
    for index, position in enumerate(checked.valid_positions):
        reason = outside.get(index) or check_label(card, labels[position])
        count = len(rows[position])
        if count > max_features:
            reason = ("unknown_features", f"{count} features, allowed are {max_features}")
        if reason is None:
            valid.append(index)
        else:
            violations.append(Violation(position, *reason))
    kept = [checked.valid_positions[index] for index in valid]
    batch = checked.batch if len(valid) == checked.batch.size else checked.batch.take(valid)
    classes = [as_class(card, labels[position]) for position in kept]
    return ValidatedBatch(batch, classes, kept, sorted(violations))


def out_of_range(schema: InputSchema, batch: Batch) -> dict[int, Reason]:
    """Return the first feature outside the schema's bounds, for each row that has one."""
    found: dict[int, Reason] = {}
    for feature in schema.features:
        if feature.low is None and feature.high is None:
            continue
        column = batch.columns[feature.name]
        low = -np.inf if feature.low is None else feature.low
        high = np.inf if feature.high is None else feature.high
        for index in np.flatnonzero((column < low) | (column > high)).tolist():
            detail = f"{feature.name} is {column[index]:g}, allowed is {low:g} to {high:g}"
            found.setdefault(index, ("out_of_range", detail))
    return found


def check_times(event_time: int, label_time: int) -> Reason | None:
    """Return a violation if a time (ms since the epoch) is outside 1970 to 9999, else None."""
    if 0 <= event_time < YEAR_10000 and 0 <= label_time < YEAR_10000:
        return None
    return ("time", f"times {event_time} and {label_time} are not both ms since the epoch")


def check_label(card: ModelCard, label: Scalar) -> Reason | None:
    """Return a violation if a label is outside the task's domain, else None."""
    if card.task in {"regression", "forecast"}:
        if isinstance(label, int | float) and not isinstance(label, bool) and isfinite(label):
            return None
        return ("label_domain", f"{label!r} is not a finite number")
    has_two_classes = card.task in {"binary", "anomaly"}
    if has_two_classes and isinstance(label, bool):
        return None
    # 1 == True in Python, so the type of the label is compared as well.
    classes = {(type(one), one) for one in card.classes}
    if (type(label), label) in classes or (has_two_classes and label in (0, 1)):
        return None
    return ("label_domain", f"{label!r} is not one of {list(card.classes or (False, True))}")


def as_class(card: ModelCard, label: Scalar) -> Scalar:
    """Return a binary label as the class in the card, so that 1 and True are the same class."""
    if card.task == "binary" and card.classes and isinstance(label, bool | int):
        return card.classes[int(label)] if label in (0, 1) else label
    return label
