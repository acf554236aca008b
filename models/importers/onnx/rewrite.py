"""Changes to an ONNX graph, so that an artifact has exactly the outputs that its card describes."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from modstream.models.importers.onnx.graph import (
    OnnxGraph,
    Value,
    class_attribute,
    is_operator,
)
from modstream.models.importers.onnx.scores import describe_scores
from modstream.models.runtimes.onnx_named_runtime import LABELS_KEY
from modstream.models.schema.columns import Scalar

Conversion = Literal["negate", "exp", "first", "second minus first"]
"""What is calculated from the scores: a detector's sign, probabilities of their logarithms, the
margin between two classes as one of two columns or as their difference."""
_WEIGHTS: Mapping[Conversion, list[list[float]]] = MappingProxyType(
    {"first": [[1.0], [0.0]], "second minus first": [[-1.0], [1.0]]}
)


def strip_zipmaps(model: onnx.ModelProto) -> dict[str, tuple[Scalar, ...]]:
    """Replace outputs that are lists of mappings by the tensors that ZipMap makes them of.

    Returns:
        The classes that each ZipMap names, by the tensor that has replaced its output.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    names = {output.name for output in model.graph.output}
    classes: dict[str, tuple[Scalar, ...]] = {}
    for output in list(model.graph.output):
        node = makers.get(output.name)
        while node is not None and is_operator(node, "Identity"):
            node = makers.get(node.input[0])
        if node is None or not is_operator(node, "ZipMap", ml=True):
            continue
        tensor = node.input[0]
        classes[tensor] = class_attribute(node)
        if tensor in names:
            model.graph.output.remove(output)
        else:
            output.CopyFrom(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
            names.add(tensor)
    _remove_unused_zipmaps(model)
    return classes


def _remove_unused_zipmaps(model: onnx.ModelProto) -> None:
    used = {name for node in model.graph.node for name in node.input}
    used |= {output.name for output in model.graph.output}
    for node in list(model.graph.node):
        if is_operator(node, "ZipMap", ml=True) and used.isdisjoint(node.output):
            model.graph.node.remove(node)


def merge_columns(model: onnx.ModelProto) -> None:
    """Replace outputs that are the columns of a classifier's scores, one each, by the scores."""
    graph = OnnxGraph(model)
    columns: defaultdict[str, list[str]] = defaultdict(list)
    for value in graph.outputs:
        node = graph.producer(graph.trace(value.name))
        if node is not None and is_operator(node, "Slice"):
            columns[node.input[0]].append(value.name)
    for scores, names in columns.items():
        if len(names) < 2 or len(describe_scores(graph, scores).classes) != len(names):
            continue
        others = [output.name for output in model.graph.output if output.name not in names]
        model.graph.output.append(
            helper.make_tensor_value_info(scores, TensorProto.FLOAT, [None, len(names)])
        )
        keep_outputs(model, [*others, scores])


def keep_outputs(model: onnx.ModelProto, names: Sequence[str]) -> None:
    """Leave only the named outputs, in this order."""
    by_name = {output.name: output for output in model.graph.output}
    kept = [by_name[name] for name in names]
    del model.graph.output[:]
    model.graph.output.extend(kept)


def convert_output(model: onnx.ModelProto, output: Value, conversion: Conversion) -> str:
    """Replace an output of numbers by numbers calculated from it; return the new output's name."""
    names = {name for node in model.graph.node for name in (*node.input, *node.output)}
    name = _unused(f"{output.name}_converted", names)
    if conversion in _WEIGHTS:
        dtype = helper.tensor_dtype_to_np_dtype(output.elem_type)
        weights = np.array(_WEIGHTS[conversion], dtype=dtype)
        constant = _unused(f"{output.name}_weights", names)
        model.graph.initializer.append(numpy_helper.from_array(weights, constant))
        node = helper.make_node("MatMul", [output.name, constant], [name])
    else:
        node = helper.make_node("Neg" if conversion == "negate" else "Exp", [output.name], [name])
    model.graph.node.append(node)
    for declared in model.graph.output:
        if declared.name == output.name:
            declared.CopyFrom(helper.make_tensor_value_info(name, output.elem_type, None))
    return name


def name_labels(model: onnx.ModelProto, labels: Sequence[Scalar]) -> None:
    """Record the graph's own labels, in the order of the card's classes, in its metadata."""
    kept = [entry for entry in model.metadata_props if entry.key != LABELS_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=LABELS_KEY, value=json.dumps(list(labels)))


def _unused(name: str, names: set[str]) -> str:
    while name in names:
        name += "_"
    return name
