"""Comparison of an exported or stored model with its original."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modstream.models.errors import GoldenMismatch
from modstream.models.runtimes.runtime import NamedOutputs, Outputs
from modstream.models.schema.card import Task

TOLERANCE = 1e-4
"""Largest difference that an export may have: absolute for probabilities; for values relative to
their distance from the typical value."""
ORIGINAL_TOLERANCE = 1e-9
"""Largest difference of a stored original, relative to the value; sums of a batch may be rounded in
another order than those of a row."""
TIE = 1e-6
"""Distance of two probabilities from which the greater one decides the label."""


class AllowedDifference:
    """The largest differences from a model's outputs that an export of it may have.

    For values it is relative to how far apart the original's values are in the neighbourhood, so
    that neither a large offset nor a small unit nor some far values hide an error.
    """

    def __init__(self, golden: Outputs, task: Task) -> None:
        """Read the distances from the original's outputs on golden rows."""
        self._is_value = task not in {"binary", "multiclass"}
        self._known = np.unique(golden)
        reach = max(1, len(self._known) // 8)
        at = np.arange(len(self._known))
        last = max(0, len(self._known) - 1)
        upper = self._known[np.minimum(at + reach, last)]
        self._spread = upper - self._known[np.maximum(at - reach, 0)]
        if len(self._known) == 1:
            self._spread = np.abs(self._known) / 100

    def of(self, expected: Outputs) -> Outputs:
        """Return the largest difference from each of these outputs of the original."""
        if not self._is_value:
            return np.full(expected.shape, TOLERANCE)
        nearest = np.minimum(np.searchsorted(self._known, expected), len(self._known) - 1)
        return np.minimum(TOLERANCE * self._spread[nearest], TOLERANCE * (1 + np.abs(expected)))


def compare_outputs(expected: Outputs, found: Outputs, allowed: Outputs | float) -> float:
    """Return the largest difference of two arrays of the same shape.

    Raises:
        GoldenMismatch: one is greater than allowed; the error has the first row that differs.
    """
    differences = np.abs(found - expected)
    differs = ~(differences <= allowed)
    if differs.any():
        first = tuple(np.argwhere(differs)[0])
        raise GoldenMismatch(int(first[0]), float(expected[first]), float(found[first]))
    return float(differences.max(initial=0.0))


def compare_labels(expected: Outputs, found: Outputs) -> None:
    """Raise if the most probable of several classes is another one, and not by a tie.

    Raises:
        GoldenMismatch: it is; the error has the probabilities of the original's class.
    """
    ordered = np.sort(expected, axis=1)
    decided = ordered[:, -1] - ordered[:, -2] > TIE if expected.shape[1] > 1 else np.ones(0, bool)
    differs = (expected.argmax(axis=1) != found.argmax(axis=1))[: len(decided)] & decided
    if differs.any():
        row = int(np.flatnonzero(differs)[0])
        label = int(expected[row].argmax())
        raise GoldenMismatch(row, float(expected[row, label]), float(found[row, label]))


def compare_rows(expected: NamedOutputs, found: NamedOutputs, tolerance: float) -> float:
    """Return the largest difference of the numbers of outputs by name; all else must be equal.

    Raises:
        GoldenMismatch: something else differs, or a number by more than the tolerance, relative to
            it.
    """
    largest = 0.0
    for row, (wanted, given) in enumerate(zip(expected, found, strict=True)):
        for left, right in zip(_leaves(wanted), _leaves(given), strict=True):
            if left == right:
                continue
            if not isinstance(left, float) or not isinstance(right, float):
                raise GoldenMismatch(row, left, right)
            difference = abs(left - right)
            if not difference <= tolerance * (1 + abs(left)):
                raise GoldenMismatch(row, left, right)
            largest = max(largest, difference)
    return largest


def _leaves(value: Any) -> Sequence[Any]:  # noqa: ANN401 - a value of JSON
    if isinstance(value, Mapping):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    return [value]
