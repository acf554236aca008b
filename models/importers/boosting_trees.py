"""The thresholds of the trees in an ONNX graph, and rows at them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

ROW_COUNT = 256
"""Number of rows on which a graph is compared with the model that it was made of."""
LARGEST = float(np.finfo(np.float32).max)
"""The largest number that float32 has."""
MISSING_SHARE = 0.1
"""Share of the values that are missing in the rows with missing values."""


def split_thresholds(graph: onnx.ModelProto) -> Mapping[int, Sequence[float]]:
    """Return the thresholds of a graph's trees by the position of the feature, sorted."""
    found: defaultdict[int, set[float]] = defaultdict(set)
    for node in _tree_nodes(graph):
        values = _attribute(node, "nodes_values").floats
        for feature, value, mode in zip(_features(node), values, _modes(node), strict=True):
            # A split of missing values from all others has the largest number as its threshold.
            if mode != b"LEAF" and abs(value) < LARGEST:
                found[feature].add(float(value))
    return {feature: sorted(values) for feature, values in found.items()}


def round_thresholds_down(graph: onnx.ModelProto, exact: Iterable[tuple[int, float]]) -> None:
    """Round the thresholds of a graph down to float32, where its converter has rounded them up.

    A value goes left if it is at most the threshold. A threshold above the exact one would let a
    value between the two go left.

    Args:
        graph: a graph with thresholds in float32; it is changed.
        exact: the position of the feature and the threshold of each split, in float64.
    """
    below = {
        (feature, float(np.float32(value))): float(
            np.nextafter(np.float32(value), np.float32(-np.inf))
        )
        for feature, value in exact
        if float(np.float32(value)) > value
    }
    for node in _tree_nodes(graph):
        values = _attribute(node, "nodes_values").floats
        for at, (feature, mode) in enumerate(zip(_features(node), _modes(node), strict=True)):
            if mode == b"BRANCH_LEQ":
                values[at] = below.get((feature, float(values[at])), values[at])


def golden_matrix(graph: onnx.ModelProto, width: int) -> NDArray[np.float64]:
    """Return rows (n, k) of k features at a graph's thresholds, just beside them, and between.

    All numbers are ones that float32 has.
    """
    rng = np.random.default_rng(0)
    thresholds = split_thresholds(graph)
    columns = [_values(thresholds.get(at, (-1.0, 0.0, 1.0)), rng) for at in range(width)]
    return np.column_stack(columns).astype(np.float32).astype(np.float64)


def with_missing(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a matrix with some values missing, which are NaN."""
    rng = np.random.default_rng(1)
    return np.where(rng.random(matrix.shape) < MISSING_SHARE, np.nan, matrix)


def _values(thresholds: Sequence[float], rng: np.random.Generator) -> NDArray[np.float64]:
    at = np.asarray(thresholds, np.float32)[rng.integers(len(thresholds), size=ROW_COUNT)]
    low, high = thresholds[0], thresholds[-1]
    margin = (high - low) / 4 or abs(high) / 4 or 1.0
    between = rng.uniform(low - margin, high + margin, ROW_COUNT)
    infinity = np.float32(np.inf)
    choices = [at, np.nextafter(at, infinity), np.nextafter(at, -infinity), between, between]
    return np.choose(rng.integers(len(choices), size=ROW_COUNT), choices)


def _tree_nodes(graph: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in graph.graph.node if node.op_type.startswith("TreeEnsemble")]


def _features(node: onnx.NodeProto) -> Sequence[int]:
    ints: Sequence[int] = _attribute(node, "nodes_featureids").ints
    return ints


def _modes(node: onnx.NodeProto) -> Sequence[bytes]:
    strings: Sequence[bytes] = _attribute(node, "nodes_modes").strings
    return strings


def _attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto:
    return next(one for one in node.attribute if one.name == name)
