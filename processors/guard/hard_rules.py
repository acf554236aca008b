"""Hard rules: a row must be well typed, finite and in range, and its label in the task's domain.

`processors/guard/guard.py` adds the rules that depend on other rows. A single NaN ruins a River
pipeline for good, and a label of the wrong type breaks a tree on every later call
(docs/learning.md has the measurement). Every row therefore passes these rules before it is learned.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from sys import maxsize
from typing import NamedTuple

import numpy as np

from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.processors.guard.label_domain import LabelDomain

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
    labels: Sequence[object],
    max_unknown: int = 0,
    domain: LabelDomain | None = None,
) -> ValidatedBatch:
    """Split labelled rows into valid rows and violations; no row raises an exception.

    Features unknown to the schema are dropped. A row with more than `max_unknown` of them is a
    violation; 0 sets no limit. `domain` is that of the card, if the caller has it already. Valid
    labels are returned as the model's own classes.
    """
    domain = domain or LabelDomain.of(card)
    checked = card.input_schema.parse_rows(rows)
    violations = [Violation(at, error.code, str(error)) for at, error in checked.errors.items()]
    outside = out_of_range(card.input_schema, checked.batch)
    max_features = len(card.input_schema.features) + (max_unknown or maxsize)
    valid: list[int] = []
    learned: list[Scalar] = []
    for index, position in enumerate(checked.valid_positions):
        label, count = domain.canonical(labels[position]), len(rows[position])
        if count > max_features:
            found = ("unknown_features", f"{count} features, allowed are {max_features}")
        elif index in outside:
            found = outside[index]
        elif label is None:
            found = ("label_domain", domain.reject(labels[position]))
        else:
            valid.append(index)
            learned.append(label)
            continue
        violations.append(Violation(position, *found))
    kept = [checked.valid_positions[index] for index in valid]
    batch = checked.batch if len(valid) == checked.batch.size else checked.batch.take(valid)
    return ValidatedBatch(batch, learned, kept, sorted(violations))


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
