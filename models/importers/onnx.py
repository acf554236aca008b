"""Import of ONNX models: schema and task are read from the graph's inputs and outputs."""

from importlib.metadata import version

import onnx
from onnx import TensorProto

from modstream.models.errors import UnreadableArtifact
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.onnx_safety import sanitize_onnx
from modstream.models.schema.card import Task
from modstream.models.schema.columns import FeatureKind, Scalar
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec

KIND_BY_TENSOR_TYPE: dict[int, FeatureKind] = {
    TensorProto.FLOAT: "float",
    TensorProto.DOUBLE: "float",
    TensorProto.INT64: "int",
    TensorProto.INT32: "int",
    TensorProto.BOOL: "bool",
    TensorProto.STRING: "string",
}
_FLOAT_TENSOR_TYPES = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE})


def import_onnx(name: str, content: bytes, note: str = "") -> ImportedModel:
    """Import an ONNX model.

    A single input [n, k] becomes the features x0, x1 and so on; several inputs [n, 1] become one
    feature each, by name. The last float output decides the task: one column is a regression, two
    are a binary and more a multiclass classification, with the classes 0, 1 and so on.

    Raises:
        ExternalData: a tensor refers to a file.
        UnreadableArtifact: it is not an ONNX model with such inputs and outputs.
    """
    checked = sanitize_onnx(content)
    with translate_library_errors(lambda reason: UnreadableArtifact("onnx", reason)):
        graph = onnx.load_model_from_string(checked).graph
    initializers = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initializers]
    outputs = [
        value for value in graph.output if value.type.tensor_type.elem_type in _FLOAT_TENSOR_TYPES
    ]
    if not inputs:
        raise UnreadableArtifact("onnx", "it has no inputs; export it with one input per feature")
    if not outputs:
        reason = "none of its outputs is a tensor of floats; export classifiers without zipmap"
        raise UnreadableArtifact("onnx", reason)
    width = _column_count(outputs[-1])
    task: Task = {1: "regression", 2: "binary"}.get(width, "multiclass")  # type: ignore[assignment]
    classes: tuple[Scalar, ...] = () if task == "regression" else tuple(range(width))
    spec = VersionSpec(
        name=name,
        runtime="onnx",
        task=task,
        classes=classes,
        input_schema=_infer_schema(inputs),
        libraries={"onnx": version("onnx")},
        note=note or "an ONNX model",
    )
    return ImportedModel(spec, checked)


def _infer_schema(inputs: list[onnx.ValueInfoProto]) -> InputSchema:
    widths = [_column_count(value) for value in inputs]
    if len(inputs) == 1 and widths[0] > 1:
        return InputSchema.of_floats([f"x{index}" for index in range(widths[0])])
    return InputSchema(features=tuple(_feature_of(value) for value in inputs))


def _feature_of(value: onnx.ValueInfoProto) -> Feature:
    kind = KIND_BY_TENSOR_TYPE.get(value.type.tensor_type.elem_type)
    if kind is None:
        reason = (
            f"input {value.name!r} has a type that no feature has;"
            " use float, double, int32, int64, bool or string"
        )
        raise UnreadableArtifact("onnx", reason)
    return Feature(name=value.name, kind=kind)


def _column_count(value: onnx.ValueInfoProto) -> int:
    """Return the number of columns of a tensor [n] or [n, k]; 1 if the graph does not state it."""
    dimensions = value.type.tensor_type.shape.dim
    return dimensions[1].dim_value or 1 if len(dimensions) > 1 else 1
