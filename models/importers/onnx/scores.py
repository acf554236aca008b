"""What the numbers of an ONNX output mean, read from the operators that make them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import numpy as np
import onnx

from modstream.models.importers.onnx.graph import (
    OnnxGraph,
    attribute,
    class_attribute,
    is_operator,
)
from modstream.models.schema.columns import Scalar

Meaning = Literal[
    "probability", "log_probability", "sigmoid", "mixture", "margin", "value", "feature", "encoding"
]
"""`sigmoid` is a number from 0 to 1 without a statement of what it is the probability of;
`mixture` are normalised densities, as of a Gaussian mixture; `value` is a regression's; `feature`
is what a transformation makes for another model; `encoding` is a number for each word or key."""

WEIGHT_TOLERANCE: Final = 1e-4
_PROBABILITY_TRANSFORMS: Final = frozenset({"SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"})


class ScoreOrigin(NamedTuple):
    """What is known about an output of numbers.

    `meaning` is None if the graph does not say. `classes` are in the order of the columns, empty if
    the graph does not name them. `source` is the tensor of which the output is a copy.
    """

    meaning: Meaning | None
    classes: tuple[Scalar, ...]
    source: str


def describe_scores(graph: OnnxGraph, tensor: str) -> ScoreOrigin:
    """Return what the graph says about an output of numbers."""
    source = graph.trace(tensor)
    node = graph.producer(source)
    if node is None:
        return ScoreOrigin(None, (), source)
    rules = _ML_RULES if node.domain == "ai.onnx.ml" else _RULES if not node.domain else {}
    is_score = source == node.output[-1]  # a classifier's first output are its labels
    rule = rules.get(node.op_type) if is_score else None
    meaning, classes = rule(graph, node) if rule is not None else (None, ())
    return ScoreOrigin(meaning, classes, source)


Known = tuple[Meaning | None, tuple[Scalar, ...]]
Rule = Callable[[OnnxGraph, onnx.NodeProto], Known]
_UNKNOWN: Final[Known] = (None, ())


def _always(meaning: Meaning) -> Rule:
    return lambda _graph, _node: (meaning, ())


def _softmax(meaning: Meaning) -> Rule:
    """Return the rule of operators that normalise over the classes, which are the last axis."""

    def rule(_graph: OnnxGraph, node: onnx.NodeProto) -> Known:
        return (meaning, ()) if attribute(node, "axis", -1) in {-1, 1} else _UNKNOWN

    return rule


def _linear_classifier(_graph: OnnxGraph, node: onnx.NodeProto) -> Known:
    transform = attribute(node, "post_transform", "NONE")
    meaning: Meaning = "probability" if transform in _PROBABILITY_TRANSFORMS else "margin"
    return meaning, class_attribute(node)


def _svm_classifier(_graph: OnnxGraph, node: onnx.NodeProto) -> Known:
    transform = attribute(node, "post_transform", "NONE")
    is_probability = bool(attribute(node, "prob_a")) or transform in _PROBABILITY_TRANSFORMS
    return ("probability" if is_probability else "margin"), class_attribute(node)


def _tree_classifier(_graph: OnnxGraph, node: onnx.NodeProto) -> Known:
    transform = attribute(node, "post_transform", "NONE")
    is_probability = transform in _PROBABILITY_TRANSFORMS or _leaves_are_shares(node)
    return ("probability" if is_probability else "margin"), class_attribute(node)


def _leaves_are_shares(node: onnx.NodeProto) -> bool:
    """Return whether the leaves of all trees add up to shares of the classes, as in a forest."""
    weights = np.asarray(attribute(node, "class_weights", []), dtype=np.float64)
    classes = np.asarray(attribute(node, "class_ids", []))
    trees = np.asarray(attribute(node, "class_treeids", []))
    leaves = np.asarray(attribute(node, "class_nodeids", []))
    if not weights.size or not len(weights) == len(classes) == len(trees) == len(leaves):
        return False
    if (weights < 0).any() or attribute(node, "base_values"):
        return False
    places, at = np.unique(np.stack([trees, leaves]), axis=1, return_inverse=True)
    sums = np.bincount(at.ravel(), weights)
    least, most = (
        sum(float(kind(sums[places[0] == tree])) for tree in np.unique(trees))
        for kind in (np.min, np.max)
    )
    if len(np.unique(classes)) == 1:
        return most <= 1 + WEIGHT_TOLERANCE
    return abs(least - 1) < WEIGHT_TOLERANCE and abs(most - 1) < WEIGHT_TOLERANCE


def _normalizer(graph: OnnxGraph, node: onnx.NodeProto) -> Known:
    """Read ai.onnx.ml's Normalizer: the exporter of scikit-learn adds it to probabilities."""
    inner = describe_scores(graph, node.input[0])
    is_sum_one = attribute(node, "norm", "MAX") == "L1"
    if is_sum_one and inner.classes and inner.meaning == "probability":
        return "probability", inner.classes
    return _UNKNOWN if inner.classes else ("feature", ())


def _regressor(_graph: OnnxGraph, node: onnx.NodeProto) -> Known:
    transform = attribute(node, "post_transform", "NONE")
    if transform == "NONE":
        return "value", ()
    return ("sigmoid" if transform in {"LOGISTIC", "PROBIT"} else None), ()


def _concat(graph: OnnxGraph, node: onnx.NodeProto) -> Known:
    """Read several regressions side by side, or [1 - p, p], which is made of one sigmoid."""
    meanings = {describe_scores(graph, one).meaning for one in node.input}
    if meanings in ({"value"}, {"feature"}):
        return meanings.pop(), ()
    if len(node.input) != 2:
        return _UNKNOWN
    first, second = (graph.trace(one) for one in node.input)
    rest = graph.producer(first)
    if rest is None or not is_operator(rest, "Sub"):
        return _UNKNOWN
    whole = graph.constant(rest.input[0])
    is_pair = whole is not None and (whole == 1).all() and graph.trace(rest.input[1]) == second
    is_share = is_pair and describe_scores(graph, second).meaning == "sigmoid"
    return ("probability", ()) if is_share else _UNKNOWN


def _exp(graph: OnnxGraph, node: onnx.NodeProto) -> Known:
    """Read exp(x - logsumexp(x)), the weights of the components of a mixture."""
    difference = graph.producer(graph.trace(node.input[0]))
    if not is_operator(difference, "Sub") or difference is None:
        return _UNKNOWN
    total = graph.producer(graph.trace(difference.input[1]))
    is_normalised = (
        is_operator(total, "ReduceLogSumExp")
        and total is not None
        and graph.trace(total.input[0]) == graph.trace(difference.input[0])
    )
    return ("mixture", ()) if is_normalised else _UNKNOWN


_TRANSFORMERS = ("Scaler", "Imputer", "OneHotEncoder", "Binarizer", "FeatureVectorizer")
_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "Softmax": _softmax("probability"),
        "LogSoftmax": _softmax("log_probability"),
        "Sigmoid": _always("sigmoid"),
        "HardSigmoid": _always("sigmoid"),
        "Concat": _concat,
        "Exp": _exp,
    }
)
_ML_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "LinearClassifier": _linear_classifier,
        "SVMClassifier": _svm_classifier,
        "TreeEnsembleClassifier": _tree_classifier,
        "Normalizer": _normalizer,
        **dict.fromkeys(_TRANSFORMERS, _always("feature")),
        "LabelEncoder": _always("encoding"),
        "LinearRegressor": _regressor,
        "TreeEnsembleRegressor": _regressor,
        "SVMRegressor": _regressor,
    }
)
