"""A model file that somebody brings, made into a draft and an artifact that workers may load."""

import pickle
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import onnx
from onnx import TensorProto
from river.base import Estimator
from sklearn.base import BaseEstimator

from modstream.models.errors import (
    GoldenMismatch,
    NotConvertible,
    PickleNotTrusted,
    UnknownModelFile,
    UnreadableArtifact,
)
from modstream.models.importers.onnx_export import classes_of, infer_schema, task_of, to_onnx
from modstream.models.importers.river import Described, from_river
from modstream.models.runtimes.library_errors import translated
from modstream.models.runtimes.onnx_safety import self_contained
from modstream.models.runtimes.river.artifact import Packed
from modstream.models.runtimes.river.artifact import unpack as unpack_river
from modstream.models.runtimes.sklearn_runtime import pack, unpack
from modstream.models.schema.card import Task
from modstream.models.schema.input_schema import Batch, Feature, InputSchema, Kind, Scalar
from modstream.models.schema.version_spec import Draft
from modstream.models.serving.loader import synthetic

PICKLES = frozenset({".pkl", ".pickle", ".joblib"})
GOLDEN_ROWS = 256
KINDS: dict[int, Kind] = {
    TensorProto.FLOAT: "float",
    TensorProto.DOUBLE: "float",
    TensorProto.INT64: "int",
    TensorProto.INT32: "int",
    TensorProto.BOOL: "bool",
    TensorProto.STRING: "string",
}

Drafted = tuple[Draft, bytes]


class Portable(NamedTuple):
    """A fitted model as an artifact, the runtime that reads it, the library that wrote it."""

    artifact: bytes
    runtime: str
    library: str


def read_file(
    name: str,
    path: Path,
    *,
    trust_pickle: bool,
    note: str = "",
    described: Described | None = None,
) -> Drafted:
    """Draft a version of a model from an .onnx, .skops, .river, .joblib or .pkl file.

    A .river file is an artifact as `modstream.models.runtimes.river.artifact.pack` writes it; of
    a River model the features must be `described`.

    Raises:
        PickleNotTrusted: it is a pickle, which runs code when it is read, and nobody vouched.
        UnknownModelFile: the ending is none of these.
        ArtifactError: it cannot be read, or not be made into something a worker may load.
    """
    ending, content = path.suffix.lower(), path.read_bytes()
    if ending == ".onnx":
        return from_onnx(name, content, note)
    if ending == ".skops":
        return from_sklearn(name, unpack(content), note)
    if ending == ".river":
        return from_river(name, unpack_river(content), described or Described(), note)
    if ending not in PICKLES:
        raise UnknownModelFile(path)
    if not trust_pickle:
        raise PickleNotTrusted(path)
    with translated(lambda reason: UnreadableArtifact("sklearn", reason)):
        model = joblib.load(path) if ending == ".joblib" else pickle.loads(content)  # noqa: S301
    if isinstance(model, Estimator):
        return from_river(name, Packed(model, None), described or Described(), note)
    return from_sklearn(name, model, note)


def from_sklearn(name: str, model: BaseEstimator, note: str = "") -> Drafted:
    """Draft a fitted scikit-learn model: as ONNX if that answers alike, else as skops.

    Raises:
        NotConvertible: it is no fitted classifier or regressor.
        ForbiddenGlobal: neither ONNX nor skops can carry it safely.
    """
    schema = infer_schema(model)
    artifact, runtime, used = portable(model, schema, golden(schema))
    drafted = Draft(
        name=name,
        runtime=runtime,
        task=task_of(model),
        classes=classes_of(model),
        input_schema=schema,
        libraries={library: version(library) for library in ("scikit-learn", used)},
        note=note or type(model).__name__,
    )
    return drafted, artifact


def portable(model: BaseEstimator, schema: InputSchema, rows: Batch) -> Portable:
    """Write a fitted model as ONNX if that answers `rows` alike, else as skops.

    Raises:
        ForbiddenGlobal: neither ONNX nor skops can carry it safely.
    """
    try:
        return Portable(to_onnx(model, schema, rows), "onnx", "skl2onnx")
    except (NotConvertible, GoldenMismatch):
        return Portable(pack(model), "sklearn", "skops")


def from_onnx(name: str, content: bytes, note: str = "") -> Drafted:
    """Draft an ONNX model: features from its inputs, task from the width of its last output.

    A single [n, k] input has features x0, x1 and so on; several [n, 1] inputs are features by
    name. One column of output is a regression, two are a binary classification.

    Raises:
        ExternalData: it refers to files.
        UnreadableArtifact: it is no ONNX model with such inputs and a numeric output.
    """
    checked = self_contained(content)
    with translated(lambda reason: UnreadableArtifact("onnx", reason)):
        graph = onnx.load_model_from_string(checked).graph
    given = {one.name for one in graph.initializer}
    inputs = [one for one in graph.input if one.name not in given]
    outputs = [one for one in graph.output if one.type.tensor_type.elem_type in {1, 11}]
    if not inputs or not outputs:
        raise UnreadableArtifact("onnx", "it has no tensor inputs, or no output of floats")
    width = _width(outputs[-1])
    task: Task = {1: "regression", 2: "binary"}.get(width, "multiclass")  # type: ignore[assignment]
    classes: tuple[Scalar, ...] = () if task == "regression" else tuple(range(width))
    drafted = Draft(
        name=name,
        runtime="onnx",
        task=task,
        classes=classes,
        input_schema=_schema(inputs),
        libraries={"onnx": version("onnx")},
        note=note or "an ONNX model",
    )
    return drafted, checked


def golden(schema: InputSchema) -> Batch:
    """Rows to compare an export on: each feature's range, and values far beyond it."""
    rng = np.random.default_rng(0)
    rows = synthetic(schema, GOLDEN_ROWS).rows()
    for row in rows[::2]:
        for feature in schema.features:
            if feature.kind == "float":
                row[feature.name] = float(np.float32(rng.normal(scale=10.0)))
    return schema.batch(rows).batch


def _schema(inputs: list[onnx.ValueInfoProto]) -> InputSchema:
    widths = [_width(one) for one in inputs]
    if len(inputs) == 1 and widths[0] > 1:
        return InputSchema.floats([f"x{index}" for index in range(widths[0])])
    kinds = [KINDS.get(one.type.tensor_type.elem_type) for one in inputs]
    features = [
        Feature(name=one.name, kind=kind)
        for one, kind in zip(inputs, kinds, strict=True)
        if kind is not None
    ]
    if len(features) < len(inputs):
        raise UnreadableArtifact("onnx", "an input is of a type that no feature has")
    return InputSchema(features=tuple(features))


def _width(value: onnx.ValueInfoProto) -> int:
    """The number of columns of a tensor [n] or [n, k]."""
    dimensions = value.type.tensor_type.shape.dim
    return dimensions[1].dim_value or 1 if len(dimensions) > 1 else 1
