"""The numbers that a fitted estimator records about each of the columns that it takes."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.tree._tree import Tree

MAX_VALUES = 400
"""Largest number of values that are kept for one feature."""

_ROWS_OF_VALUES = (
    "cluster_centers_", "subcluster_centers_", "centroids_", "theta_", "means_", "location_",
    "mean_", "center_", "statistics_", "quantiles_", "data_min_", "data_max_", "max_abs_",
    "_fit_X", "X_train_", "support_vectors_", "X_fit_", "_X_fit", "X_", "training_data_",
    "xbar_", "_x_mean", "X_offset_",
)  # fmt: skip
"""Fitted attributes, (k,) or (n, k) for k columns, whose values are on the scale of the columns."""


def values_by_column(part: BaseEstimator, width: int) -> list[list[float]]:
    """Return the numbers that a fitted part records about each of its columns."""
    values: list[list[float]] = [[] for _ in range(width)]
    for table in _tables(part, width):
        rows = table[:: max(1, len(table) // MAX_VALUES)]
        for at in range(width):
            values[at].extend(rows[:, at].tolist())
    for at, column in _single_columns(part):
        if at < width:
            values[at].extend(column)
    return values


def _tables(part: BaseEstimator, width: int) -> Iterator[npt.NDArray[np.float64]]:
    """Yield arrays (n, width) of values on the scale of the columns."""
    for name in _ROWS_OF_VALUES:
        found = getattr(part, name, None) if name in vars(part) else None
        if found is None or not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
            continue
        table = np.atleast_2d(found.astype(np.float64))
        if table.ndim == 2 and table.shape[1] == width:
            yield table
            yield from _spread(part, name, table)


def _spread(
    part: BaseEstimator, name: str, table: npt.NDArray[np.float64]
) -> Iterator[npt.NDArray[np.float64]]:
    scale_name = {"mean_": "scale_", "center_": "scale_", "theta_": "var_"}.get(name)
    scale = getattr(part, scale_name, None) if scale_name else None
    if isinstance(scale, np.ndarray) and scale.shape[-1:] == table.shape[-1:]:
        deviation = np.sqrt(scale) if scale_name == "var_" else scale
        for steps in (-3.0, -1.0, 1.0, 3.0):
            yield np.atleast_2d(table + steps * deviation)


def zeros_of_linear_functions(part: BaseEstimator, width: int) -> npt.NDArray[np.float64] | None:
    """Return for each column where linear functions (n, width) are zero, if the others are zero."""
    weights, constants = getattr(part, "coef_", None), getattr(part, "intercept_", None)
    layers = vars(part).get("coefs_")
    if layers:
        weights, constants = layers[0].T, part.intercepts_[0]
    if not isinstance(weights, np.ndarray) or constants is None or weights.dtype.kind != "f":
        return None
    table = np.atleast_2d(weights)
    constant = np.atleast_1d(np.asarray(constants, float)).reshape(-1, 1)
    if table.ndim != 2 or table.shape[1] != width or len(constant) not in {1, len(table)}:
        return None
    with np.errstate(all="ignore"):
        zeros = -constant / table
    zeros = np.where(np.isfinite(zeros) & (np.abs(zeros) < 1e15), zeros, 0.0)
    # A function that is nearly flat in a column says nothing about the column's scale.
    typical = np.median(np.abs(zeros), axis=0)
    return np.where(np.abs(zeros) <= 10 * typical, zeros, 0.0)


def _single_columns(part: BaseEstimator) -> Iterator[tuple[int, list[float]]]:
    """Yield the position of a column and values on its scale."""
    tree = vars(part).get("tree_")
    if isinstance(tree, Tree):
        inner = tree.feature >= 0
        for at in np.unique(tree.feature[inner]).tolist():
            yield at, _around(tree.threshold[tree.feature == at])
    mapper = vars(part).get("_bin_mapper")
    for at, edges in enumerate(getattr(mapper, "bin_thresholds_", ()) if mapper else ()):
        if edges is not None and len(edges):
            yield at, _around(np.asarray(edges, float))
    for at, edges in enumerate(getattr(part, "bin_edges_", ())):
        yield at, _around(np.asarray(edges, float))
    for at, spline in enumerate(getattr(part, "bsplines_", ())):
        yield at, np.asarray(spline.t, float).tolist()
    for at, count in enumerate(np.ravel(getattr(part, "n_categories_", ())).tolist()):
        yield at, [float(one) for one in range(int(count))]
    if "X_thresholds_" in vars(part):
        yield 0, part.X_thresholds_.tolist()


def _around(values: npt.NDArray[np.float64]) -> list[float]:
    """Return values and their neighbours in float64 and float32, where splits are decided."""
    kept = values[np.isfinite(values)][:: max(1, len(values) // 60)]
    single = kept.astype(np.float32)
    neighbours = [np.nextafter(kept, direction) for direction in (-np.inf, np.inf)] + [
        np.nextafter(single, np.float32(direction)).astype(float) for direction in (-np.inf, np.inf)
    ]
    # Just beyond a threshold, a number rounded to float32 falls on the other side.
    halves = [kept + (near - kept) / 4 for near in neighbours[2:]]
    found: list[float] = np.concatenate([kept, *neighbours, *halves]).tolist()
    return found
