"""The conversion of scikit-learn's histogram gradient boosting to ONNX.

skl2onnx gives the attributes of the trees as booleans and unsigned integers of numpy, which ONNX
refuses since 1.22, and rounds thresholds to the nearest float32, which may be above.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skl2onnx import update_registered_converter
from skl2onnx.common._registration import get_converter, get_shape_calculator
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from modstream.models.errors import NotConvertible

Converter = Callable[[Any, Any, Any], None]
"""Adds the nodes of an operator to a container: scope, operator, container."""
_CLASSIFIER_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "raw_scores": [True, False],
    "output_class_labels": [False, True],
    "nocl": [True, False],
}


def register_hist_boosting() -> None:
    """Let skl2onnx convert histogram gradient boosting by this module."""
    for kind, options in (
        (HistGradientBoostingClassifier, _CLASSIFIER_OPTIONS),
        (HistGradientBoostingRegressor, {"raw_scores": [True, False]}),
    ):
        alias = f"Sklearn{kind.__name__}"
        converter = get_converter(alias)
        if not isinstance(converter, _CheckedConverter):
            update_registered_converter(
                kind,
                alias,
                get_shape_calculator(alias),
                _CheckedConverter(converter),
                overwrite=True,
                options=options,
            )


@dataclass(frozen=True, slots=True)
class _CheckedConverter:
    """skl2onnx's own converter, with attributes that ONNX takes and exact thresholds."""

    original: Converter

    def __call__(self, scope: Any, operator: Any, container: Any) -> None:  # noqa: ANN401
        """Convert one operator.

        Raises:
            NotConvertible: a tree splits by categories, which the original takes for numbers.
        """
        model = operator.raw_operator
        in_float64 = isinstance(operator.inputs[0].type, DoubleTensorType)
        operator.raw_operator = _with_nodes(model, in_float64=in_float64)
        try:
            self.original(scope, operator, _IntegerContainer(container))
        finally:
            operator.raw_operator = model


class _IntegerContainer:
    """A container of nodes that makes Python integers of booleans and numpy's integers."""

    def __init__(self, container: Any) -> None:  # noqa: ANN401 - of skl2onnx
        self._container = container

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of the container
        return getattr(self._container, name)

    def add_node(self, *args: Any, **attributes: Any) -> None:  # noqa: ANN401
        """Add a node."""
        plain = {name: _with_integers(value) for name, value in attributes.items()}
        self._container.add_node(*args, **plain)


def _with_integers(value: Any) -> Any:  # noqa: ANN401 - an attribute of a node
    if isinstance(value, list) and all(
        isinstance(one, int | np.integer | np.bool_) for one in value
    ):
        return list(map(int, value))
    return value


@dataclass(frozen=True, slots=True)
class _Tree:
    """A tree's nodes, as a structured array."""

    nodes: NDArray[Any]


def _with_nodes(model: BaseEstimator, *, in_float64: bool) -> BaseEstimator:
    """Return a copy of a model whose thresholds float32 has, unless the graph is in float64."""
    copied = copy(model)
    vars(copied)["_predictors"] = [
        [_Tree(_nodes_of(tree, in_float64=in_float64)) for tree in trees]
        for trees in vars(model)["_predictors"]
    ]
    return copied


def _nodes_of(tree: Any, *, in_float64: bool) -> NDArray[Any]:  # noqa: ANN401 - a TreePredictor
    nodes: NDArray[Any] = tree.nodes.copy()
    if nodes["is_categorical"].any():
        raise NotConvertible("a histogram boosting", "it splits by categories")
    if not in_float64:
        nodes["num_threshold"] = round_down(nodes["num_threshold"])
    return nodes


def round_down(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the greatest float32 values that are not above some float64 values, as float64."""
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > thresholds, below, nearest).astype(np.float64)
