"""What the labels of an ONNX output are, read from the operators that make them."""

from typing import Final, Literal, NamedTuple

import numpy as np
import onnx

from modstream.models.importers.onnx.graph import (
    OnnxGraph,
    attribute,
    class_attribute,
    is_operator,
    scalars,
)
from modstream.models.schema.columns import Scalar

_CLASSIFIERS: Final = ("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier")
_ENCODED: Final = ("int64s", "strings", "floats")


class LabelOrigin(NamedTuple):
    """What is known about an output of labels.

    `classes` are in the order of the scores' columns, empty if the graph does not name them. A
    label may be the `choice` of the greatest or the least number in each row of `source`;
    `is_index` if it is that number's position.
    """

    classes: tuple[Scalar, ...] = ()
    choice: Literal["max", "min"] | None = None
    source: str | None = None
    is_index: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the graph says what the labels are."""
        return bool(self.classes) or self.choice is not None


def describe_label(graph: OnnxGraph, tensor: str) -> LabelOrigin:
    """Return what the graph says about an output of labels."""
    source = graph.trace(tensor)
    node = graph.producer(source)
    if node is None:
        return LabelOrigin()
    if is_operator(node, *_CLASSIFIERS, ml=True):
        is_label = source == node.output[0]
        return LabelOrigin(class_attribute(node)) if is_label else LabelOrigin()
    if is_operator(node, "ArgMax", "ArgMin"):
        choice: Literal["max", "min"] = "max" if node.op_type == "ArgMax" else "min"
        return LabelOrigin((), choice, graph.trace(node.input[0]), is_index=True)
    if is_operator(node, "LabelEncoder", ml=True):
        return _encoded(graph, node)
    picks = is_operator(node, "ArrayFeatureExtractor", ml=True) or is_operator(node, "Gather")
    return _picked(graph, node) if picks else LabelOrigin()


def label_parts(graph: OnnxGraph, tensor: str) -> list[LabelOrigin]:
    """Return what is known about each column of an output of labels [n, t]; empty if nothing."""
    node = graph.producer(graph.trace(tensor))
    if node is None or not is_operator(node, "Concat"):
        return []
    return [describe_label(graph, one) for one in node.input]


def is_sign_of(graph: OnnxGraph, label: str, scores: str) -> bool:
    """Return whether a label is calculated from the scores, as +1 and -1 of a detector are."""
    return scores in graph.ancestors(label) | {graph.trace(one) for one in graph.ancestors(label)}


def _picked(graph: OnnxGraph, node: onnx.NodeProto) -> LabelOrigin:
    """Read a label that is picked from a constant list of classes."""
    classes = graph.constant(node.input[0])
    if classes is None:
        return LabelOrigin()
    inner = describe_label(graph, node.input[1])
    if not inner.is_index:
        return LabelOrigin(scalars(classes))
    return LabelOrigin(scalars(classes), inner.choice, inner.source)


def _encoded(graph: OnnxGraph, node: onnx.NodeProto) -> LabelOrigin:
    """Read a label that is translated, key by key, from another one."""
    keys, values = _mapping(node, "keys"), _mapping(node, "values")
    if not keys or len(keys) != len(values):
        return LabelOrigin()
    inner, mapping = describe_label(graph, node.input[0]), dict(zip(keys, values, strict=True))
    raw: tuple[Scalar, ...] = inner.classes
    if inner.is_index and set(keys) == set(range(len(keys))):
        raw = tuple(range(len(keys)))
    if not raw:
        is_encoding = graph.trace(node.input[0]) in {one.name for one in graph.inputs}
        is_number = any(isinstance(one, float) for one in values)
        # A feature that is encoded, and no label that is named.
        return LabelOrigin() if is_encoding or is_number else LabelOrigin(values)
    classes = tuple(mapping[one] for one in raw if one in mapping)
    if len(classes) < len(raw):
        return LabelOrigin()
    return inner._replace(classes=classes, is_index=False)


def _mapping(node: onnx.NodeProto, prefix: str) -> tuple[Scalar, ...]:
    for suffix in _ENCODED:
        found = attribute(node, f"{prefix}_{suffix}")
        if found:
            return tuple(found)
    tensor = attribute(node, f"{prefix}_tensor")
    return () if tensor is None else scalars(np.asarray(onnx.numpy_helper.to_array(tensor)))
