"""Thresholds of histogram gradient boosting at which float32 and float64 decide alike.

A threshold is often a value of the training data itself, and is compared in float64. An ONNX graph
compares in float32: a value beside the threshold may be rounded to its other side. A threshold in
the middle between two neighbouring float32 numbers has no such value, since all values up to it
are rounded to the lower one, and all above it to the upper one.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

from modstream.models.runtimes.sklearn_indices import parts_of

MAX_MOVED_VALUES = 3
"""Largest number of different values that change their side of a threshold."""


def align_thresholds(model: BaseEstimator, matrix: NDArray[np.float64]) -> None:
    """Move the thresholds of a model's histogram trees between two neighbouring float32 numbers.

    The matrix (n, k) is what the trees are given, after all encoders. The predictions of its rows
    remain the same, except for values that float32 does not tell from a threshold. A threshold that
    would change its side for more than `MAX_MOVED_VALUES` values remains where it is.
    """
    trees = [part for part in parts_of(model) if isinstance(part, TreePredictor)]
    if not trees:
        return
    values = [np.unique(column[np.isfinite(column)]) for column in matrix.T]
    for tree in trees:
        nodes = tree.nodes
        for at in np.flatnonzero((nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)):
            known = values[nodes["feature_idx"][at]]
            nodes["num_threshold"][at] = _aligned(known, float(nodes["num_threshold"][at]))


def _aligned(known: NDArray[np.float64], threshold: float) -> float:
    """Return a threshold that separates the values of `known`, which are sorted, alike."""
    above = int(np.searchsorted(known, threshold, side="right"))
    if not 0 < above < len(known):
        return threshold
    lower = np.float32(known[above - 1] / 2 + known[above] / 2)
    # Of a value exactly in the middle, the even neighbour is taken.
    if lower.view(np.uint32) % 2:
        lower = np.nextafter(lower, np.float32(-np.inf))
    middle = (float(lower) + float(np.nextafter(lower, np.float32(np.inf)))) / 2
    moved = abs(int(np.searchsorted(known, middle, side="right")) - above)
    return middle if moved <= MAX_MOVED_VALUES else threshold
