"""The inputs of an ONNX graph as features of rows, or as tensors of any rank."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from onnx import TensorProto

from modstream.models.errors import MeaningUnknown, OptionNotSupported, UnreadableArtifact
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.onnx.graph import FLOATS, INTEGERS, OnnxGraph, Value
from modstream.models.schema.card import TensorDatatype, TensorSpec
from modstream.models.schema.columns import FeatureKind
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.ranges import FeatureDtype

DATATYPES: Mapping[int, TensorDatatype] = MappingProxyType(
    {
        TensorProto.BOOL: "BOOL", TensorProto.STRING: "BYTES",
        TensorProto.INT8: "INT8", TensorProto.INT16: "INT16",
        TensorProto.INT32: "INT32", TensorProto.INT64: "INT64",
        TensorProto.UINT8: "UINT8", TensorProto.UINT16: "UINT16",
        TensorProto.UINT32: "UINT32", TensorProto.UINT64: "UINT64",
        TensorProto.FLOAT16: "FP16", TensorProto.FLOAT: "FP32", TensorProto.DOUBLE: "FP64",
    }
)  # fmt: skip
"""The Open Inference Protocol's name of each tensor type that it has."""
FEATURE_DTYPES: Mapping[int, FeatureDtype] = MappingProxyType(
    {
        TensorProto.FLOAT16: "float16", TensorProto.FLOAT: "float32",
        TensorProto.INT8: "int8", TensorProto.INT16: "int16", TensorProto.INT32: "int32",
        TensorProto.UINT8: "uint8", TensorProto.UINT16: "uint16", TensorProto.UINT32: "uint32",
        TensorProto.UINT64: "uint64",
    }
)  # fmt: skip
_GIVABLE: Mapping[FeatureKind, frozenset[int]] = MappingProxyType(
    {
        "float": FLOATS,
        "int": FLOATS | INTEGERS,
        "bool": FLOATS | INTEGERS | {TensorProto.BOOL},
        "string": frozenset({TensorProto.STRING}),
    }
)
"""The types of tensors that can hold the values of a feature of each kind."""


def read_inputs(graph: OnnxGraph, description: ModelDescription) -> InputSchema | None:
    """Return the features of a graph that takes rows; None if it takes tensors.

    Inputs [n] or [n, 1] are a feature each, by name; a single input [n, k] is the features x0, x1
    and so on. The description's features rename and type them in order. Everything else is tensors:
    other ranks, and several inputs of more columns.

    Raises:
        MeaningUnknown: the graph does not state how many columns its input has.
        OptionNotSupported: the description's features do not fit the inputs.
        UnreadableArtifact: there is no input, or one has a type that cannot be sent.
    """
    if not graph.inputs:
        raise UnreadableArtifact("onnx", "it has no inputs; export it with one input per feature")
    for value in graph.inputs:
        _check_type(value)
    if description.task == "tensors":
        description.refuse("features", reason="a model of tensors has none")
        return None
    columns = _columns(graph.inputs, description.features)
    if columns is None:
        description.refuse("features", reason="the inputs are tensors, not columns of features")
        return None
    if not description.features:
        return InputSchema(features=tuple(_feature(name, value) for name, value in columns))
    return _described(columns, description.features)


def read_input_tensors(graph: OnnxGraph) -> tuple[TensorSpec, ...]:
    """Return the inputs of a graph that takes tensors.

    Raises:
        MeaningUnknown: the graph does not state the rank of one.
    """
    return tuple(tensor_spec(value) for value in graph.inputs)


def tensor_spec(value: Value) -> TensorSpec:
    """Return an input or output as the card describes it.

    Raises:
        MeaningUnknown: the graph does not state its rank.
    """
    if value.shape is None:
        raise MeaningUnknown(
            f"how many dimensions {value} has", "export the model with the shapes of its tensors"
        )
    return TensorSpec(name=value.name, datatype=DATATYPES[value.elem_type], shape=value.shape)


def _check_type(value: Value) -> None:
    if value.elem_type not in DATATYPES:
        kind = TensorProto.DataType.Name(value.elem_type) if value.elem_type else "no tensor"
        reason = (
            f"input {value.name!r} has a type that no feature has ({kind});"
            " use float, double, float16, an integer type, bool or string"
        )
        raise UnreadableArtifact("onnx", reason)


def _columns(
    inputs: Sequence[Value], described: Sequence[Feature]
) -> list[tuple[str, Value]] | None:
    """Return the name of each column and the input it is in; None if the inputs are no columns."""
    first = inputs[0]
    if all(_is_column(value) for value in inputs):
        return [(value.name, value) for value in inputs]
    if len(inputs) == len(described) > 1 and all(map(_may_be_column, inputs)):
        return [(value.name, value) for value in inputs]
    if len(inputs) > 1 or not (first.shape is None or len(first.shape) == 2):
        return None
    width = first.width or len(described)
    if width == 0:
        raise MeaningUnknown(
            f"how many columns the input {first} has",
            "name its features in order with -f NAME:KIND, or publish it with --task tensors",
        )
    return [(f"x{index}", first) for index in range(width)]


def _is_column(value: Value) -> bool:
    if value.shape is None or len(value.shape) not in {1, 2}:
        return False
    return value.shape[1] == 1 if len(value.shape) == 2 else value.shape[0] in {None, 1}


def _may_be_column(value: Value) -> bool:
    return _is_column(value) or (
        value.shape is not None and len(value.shape) == 2 and value.shape[1] is None
    )


def _feature(name: str, value: Value) -> Feature:
    return Feature(name=name, kind=_kind(value), dtype=FEATURE_DTYPES.get(value.elem_type))


def _kind(value: Value) -> FeatureKind:
    if value.elem_type in FLOATS:
        return "float"
    if value.elem_type in INTEGERS:
        return "int"
    return "bool" if value.elem_type == TensorProto.BOOL else "string"


def _described(columns: Sequence[tuple[str, Value]], described: Sequence[Feature]) -> InputSchema:
    """Return the caller's features, in the order of the columns or by the inputs' names.

    Raises:
        OptionNotSupported: there are more or fewer of them, or one cannot be fed to its input.
    """
    if len(described) != len(columns):
        reason = f"the graph takes {len(columns)} features, not {len(described)}"
        raise OptionNotSupported("--feature", reason)
    by_name = dict(columns)
    if by_name.keys() != {feature.name for feature in described}:
        by_name = {one.name: value for one, (_, value) in zip(described, columns, strict=True)}
    features = tuple(_typed(feature, by_name[feature.name]) for feature in described)
    try:
        return InputSchema(features=features)
    except ValueError as error:
        raise OptionNotSupported("--feature", "two features have the same name") from error


def _typed(feature: Feature, value: Value) -> Feature:
    if value.elem_type not in _GIVABLE[feature.kind]:
        reason = f"{feature.name} is a {feature.kind}, but the input {value} takes {_kind(value)}s"
        raise OptionNotSupported("--feature", reason)
    if feature.missing and value.elem_type not in FLOATS:
        reason = f"the input {value} of {feature.name} has no value for a missing one"
        raise OptionNotSupported("--feature", reason)
    is_number = feature.kind in {"float", "int"}
    dtype = FEATURE_DTYPES.get(value.elem_type) if is_number else None
    return feature.model_copy(update={"dtype": dtype})
