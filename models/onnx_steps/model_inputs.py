"""The columns after the steps as the inputs of a model's graph, checked as requests would be."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from onnx import TensorProto

from modstream.models.errors import StepsNotServable
from modstream.models.importers.onnx.graph import OnnxGraph, Value
from modstream.models.onnx_steps.steps import GraphTable
from modstream.models.onnx_steps.writer import TYPES, GraphValue, GraphWriter
from modstream.models.schema.columns import FeatureKind
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.ranges import RANGES

STAND_INS: dict[FeatureKind, float | int | bool | str] = {
    "float": 0.0, "int": 0, "bool": False, "string": "",
}  # fmt: skip
"""What a model gets in rows in which a step has failed; their outputs do not count."""


def write_features(table: GraphTable, schema: InputSchema, rows: str) -> dict[str, str]:
    """Return the columns [n, 1] of a model's features, by name; `rows` is any tensor of n rows.

    Where a request with such values would be refused, the row has failed: a value is missing, or
    beyond the range of the model's type.

    Raises:
        StepsNotServable: a column does not exist, or has values of another kind.
    """
    values = {one.name: _checked(table, one) for one in schema.features}
    shape = table.writer.op("Shape", rows)
    if table.failed is not None:
        table.failed = table.writer.op("Expand", table.failed, shape)
    return {
        feature.name: _column(table, values[feature.name], shape) for feature in schema.features
    }


def _checked(table: GraphTable, feature: Feature) -> GraphValue:
    """Return the column of a feature; rows with values that it does not take have failed."""
    writer, value = table.writer, table.columns.get(feature.name)
    if value is None:
        raise StepsNotServable(
            f"the model takes {feature.name}, and after the steps the columns are"
            f" {', '.join(table.columns)}"
        )
    if value.kind != feature.kind and (value.kind, feature.kind) not in {
        ("int", "float"), ("bool", "float"), ("bool", "int"),
    }:  # fmt: skip
        raise StepsNotServable(
            f"the model takes {feature.name} as {feature.kind}, and the steps make a {value.kind}"
        )
    data = writer.cast(value, feature.kind)
    if not feature.missing:
        table.failed = writer.either(table.failed, value.missing)
    elif value.missing is not None:
        if feature.kind != "float":
            raise StepsNotServable(f"ONNX has no missing texts, and {feature.name} may be missing")
        nothing = writer.constant(float("nan"), "float")
        data = writer.where(value.missing, nothing, data, "float")
    if feature.dtype is not None:
        table.failed = writer.either(table.failed, _beyond(writer, data, feature))
    return GraphValue(data, feature.kind)


def _beyond(writer: GraphWriter, data: str, feature: Feature) -> str:
    """Return where numbers are beyond the range of a feature's type; missing ones are not."""
    low, high = RANGES[feature.dtype or "float32"]
    kind = feature.kind
    limits = (low, high) if kind == "float" else (int(low), int(high))
    less = writer.op("Less", data, writer.constant(limits[0], kind))
    return writer.op("Or", less, writer.op("Greater", data, writer.constant(limits[1], kind)))


def _column(table: GraphTable, value: GraphValue, shape: str) -> str:
    kind = cast(FeatureKind, value.kind)
    data = table.writer.op("Expand", value.data, shape)
    if table.failed is None:
        return data
    stand_in = table.writer.constant(STAND_INS[kind], kind)
    return table.writer.where(table.failed, stand_in, data, kind)


def write_inputs(
    writer: GraphWriter, graph: OnnxGraph, schema: InputSchema, columns: dict[str, str]
) -> dict[str, str]:
    """Return the tensors for the inputs of a model's graph, by their names.

    The inputs are one for each feature, by name or in order, or one of all features.
    """
    kinds = {one.name: one.kind for one in schema.features}
    names, inputs = schema.names, graph.inputs
    by_name = {one.name for one in inputs} == set(names)
    if len(inputs) == 1 and not by_name:
        (matrix,) = inputs
        parts = [_typed(writer, columns[name], kinds[name], matrix) for name in names]
        joined = writer.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
        return {matrix.name: _shaped(writer, joined, matrix)}
    sources: Sequence[str] = [one.name for one in inputs] if by_name else names
    return {
        one.name: _shaped(writer, _typed(writer, columns[name], kinds[name], one), one)
        for one, name in zip(inputs, sources, strict=True)
    }


def _typed(writer: GraphWriter, data: str, kind: FeatureKind, wanted: Value) -> str:
    if wanted.elem_type == TYPES[kind]:
        return data
    return writer.op("Cast", data, to=wanted.elem_type)


def _shaped(writer: GraphWriter, data: str, wanted: Value) -> str:
    if wanted.shape is None or len(wanted.shape) != 1:
        return data
    return writer.op("Reshape", data, writer.tensor(np.array([-1], np.int64)))


def rows_of(graph: OnnxGraph) -> int | None:
    """Return how many rows a graph takes at once; None for any number."""
    lengths = {one.shape[0] for one in graph.inputs if one.shape} - {None}
    return next(iter(lengths), None)


def with_failures(writer: GraphWriter, output: Value, source: str, failed: str) -> str:
    """Return an output of floats with NaN in the rows that have failed, [n, 1]."""
    dtype = {TensorProto.DOUBLE: np.float64, TensorProto.FLOAT16: np.float16}.get(
        output.elem_type, np.float32
    )
    rank = writer.op("Shape", writer.op("Shape", source))
    # [-1, 1, ...]: as many dimensions as the output has.
    others = writer.op("Sub", rank, writer.tensor(np.array([1], np.int64)))
    ones = writer.op("Expand", writer.tensor(np.array([1], np.int64)), others)
    shape = writer.op("Concat", writer.tensor(np.array([-1], np.int64)), ones, axis=0)
    mask = writer.op("Reshape", failed, shape)
    return writer.op("Where", mask, writer.tensor(np.array(np.nan, dtype)), source)
