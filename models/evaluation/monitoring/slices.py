"""Figures of slices: the rows with one value of a feature, or one pair of values of two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modstream.models.evaluation.monitoring.features import FeatureColumn, bin_column
from modstream.models.evaluation.monitoring.scored_rows import ScoredRows

MAX_SHOWN_FEATURES = 20
"""Number of features by whose values figures are given."""
MAX_VALUES = 20
"""Number of values of a categorical feature; all others are one."""
NUMBER_BINS = 10
"""Number of bins between the quantiles of a numeric feature."""

Condition = tuple[str, str]
"""The name of a feature, and that of its value or bin."""


@dataclass(frozen=True, slots=True)
class SliceFigures:
    """The figures of the rows that meet all `conditions`.

    `loss` is their mean loss, `loss_sd` the standard deviation of their losses, and `rest_loss` the
    mean loss of all other rows. `p_value` is that of the test that found the slice, adjusted for
    all slices that were tested; None if it was asked for.
    """

    conditions: tuple[Condition, ...]
    count: int
    loss: float
    rest_loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    p_value: float | None = None
    loss_sd: float = float("nan")

    @property
    def name(self) -> str:
        """The conditions in words."""
        return ", ".join(f"{feature}: {value}" for feature, value in self.conditions)


def figures_by_value(
    rows: ScoredRows, columns: Mapping[str, FeatureColumn], features: Sequence[str]
) -> tuple[SliceFigures, ...]:
    """Return the figures of each value of chosen features, in the order of the values.

    Numbers are in bins between quantiles. Features that the rows do not have, or that have the same
    value in all rows, are left out, and those beyond the first `MAX_SHOWN_FEATURES`.
    """
    losses, found = rows.losses(), []
    for name in [one for one in features if one in columns][:MAX_SHOWN_FEATURES]:
        binned = bin_column(columns[name], MAX_VALUES, NUMBER_BINS)
        for code, value in enumerate(binned.names):
            inside = binned.codes == code
            if inside.any() and not inside.all():
                found.append(slice_figures(rows, losses, inside, ((name, value),)))
    return tuple(found)


def slice_figures(
    rows: ScoredRows,
    losses: np.ndarray,
    inside: np.ndarray,
    conditions: tuple[Condition, ...],
    p_value: float | None = None,
) -> SliceFigures:
    """Return the figures of the rows of a mask (n,), which has at least one; losses are (n,)."""
    rest = losses[~inside]
    return SliceFigures(
        conditions,
        int(inside.sum()),
        float(losses[inside].mean()),
        float(rest.mean()) if len(rest) else float("nan"),
        rows.take(inside).metrics(),
        p_value,
        float(losses[inside].std()),
    )
