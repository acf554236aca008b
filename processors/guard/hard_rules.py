"""What may never be learned: a row that is not finite, well typed, in range and truly labelled.

These are the hard rules; `processors/guard/guard.py` adds those that depend on other rows. One NaN
ruins a River pipeline for good, and a label of the wrong type breaks a tree on every later call
(docs/learning.md has the measurement), so nothing reaches a learner but through here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from sys import maxsize
from typing import NamedTuple

import numpy as np

from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, InputSchema, Scalar

YEAR_10000 = 253_402_300_800_000
"""Milliseconds since the epoch."""


class Offence(NamedTuple):
    """Why a row was refused: its position, the rule's stable name, and the particulars."""

    position: int
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Guarded:
    """The rows that may be learned, their labels and positions, and the refused ones."""

    batch: Batch
    labels: list[Scalar]
    kept: list[int]
    offences: list[Offence]

    def without(self, positions: Collection[int]) -> "Guarded":
        """The same without the rows at some more positions."""
        good = [index for index, position in enumerate(self.kept) if position not in positions]
        if len(good) == len(self.kept):
            return self
        labels = [self.labels[index] for index in good]
        kept = [self.kept[index] for index in good]
        return Guarded(self.batch.take(good), labels, kept, self.offences)


def guard(
    card: ModelCard,
    rows: Sequence[Mapping[str, object]],
    labels: Sequence[Scalar],
    most_unknown: int = 0,
) -> Guarded:
    """Sort labelled rows into those that may be learned and offences; never raises for a row.

    Features that the schema does not know are left out; a row with more than `most_unknown` of
    them is none of its kind. 0 sets no bound.
    """
    checked = card.input_schema.batch(rows)
    offences = [Offence(at, error.code, str(error)) for at, error in checked.errors.items()]
    outside = out_of_range(card.input_schema, checked.batch)
    most = len(card.input_schema.features) + (most_unknown or maxsize)
    good: list[int] = []
    for index, position in enumerate(checked.kept):
        fault = outside.get(index) or label_fault(card, labels[position])
        if len(rows[position]) > most:
            fault = ("unknown_features", f"{len(rows[position])} features, at most {most} pass")
        if fault is None:
            good.append(index)
        else:
            offences.append(Offence(position, *fault))
    kept = [checked.kept[index] for index in good]
    batch = checked.batch if len(good) == checked.batch.size else checked.batch.take(good)
    truths = [as_class(card, labels[position]) for position in kept]
    return Guarded(batch, truths, kept, sorted(offences))


def out_of_range(schema: InputSchema, batch: Batch) -> dict[int, tuple[str, str]]:
    """The first feature outside the schema's bounds of each row that has one."""
    found: dict[int, tuple[str, str]] = {}
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


def time_fault(event_time: int, label_time: int) -> tuple[str, str] | None:
    """Why the times of a row (ms, epoch) are none that a calendar knows, or None."""
    if 0 <= event_time < YEAR_10000 and 0 <= label_time < YEAR_10000:
        return None
    return ("time", f"{event_time} or {label_time} is no time in ms since the epoch")


def label_fault(card: ModelCard, label: Scalar) -> tuple[str, str] | None:
    """Why a label is not in the task's domain, or None."""
    if card.task in {"regression", "forecast"}:
        if isinstance(label, int | float) and not isinstance(label, bool) and isfinite(label):
            return None
        return ("label_domain", f"{label!r} is not a finite number")
    is_yes_or_no = card.task in {"binary", "anomaly"}
    if is_yes_or_no and isinstance(label, bool):
        return None
    # 1 == True in Python: a label must also be of its class's type.
    known = {(type(one), one) for one in card.classes}
    if (type(label), label) in known or (is_yes_or_no and label in (0, 1)):
        return None
    return ("label_domain", f"{label!r} is none of {list(card.classes or (False, True))}")


def as_class(card: ModelCard, label: Scalar) -> Scalar:
    """A binary label in the card's own words, so that 1 and true teach the same class."""
    if card.task == "binary" and card.classes and isinstance(label, bool | int):
        return card.classes[int(label)] if label in (0, 1) else label
    return label
