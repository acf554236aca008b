"""Export of scikit-learn models to ONNX, verified on golden rows: https://onnx.ai/sklearn-onnx."""

from functools import partial

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator, is_classifier

from modstream.models.errors import GoldenMismatch, NotConvertible
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.onnx_runtime import load
from modstream.models.runtimes.runtime import Outputs
from modstream.models.runtimes.sklearn_introspection import (
    infer_classes,
    infer_task,
    predict_array,
    selects_columns,
)
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.version_spec import VersionSpec

_TOLERANCE = 1e-4
"""Largest difference that float32 may cause: absolute, and for regressions also relative."""

InputTypes = list[tuple[str, FloatTensorType | StringTensorType]]


def to_onnx(model: BaseEstimator, schema: InputSchema, golden: Batch) -> bytes:
    """Export a fitted model and compare the export's predictions on golden rows.

    `golden` should be rows of the model's own data, at least one. If the model selects columns by
    name, the export has one [n, 1] input per feature, floats or strings; otherwise it has a single
    [n, k] input of floats.

    Raises:
        NotConvertible: skl2onnx does not support the model or a part of it; keep it with skops.
        GoldenMismatch: the export's predictions differ.
    """
    class_name = type(model).__name__
    if not golden.size:
        raise NotConvertible(class_name, "there are no golden rows to compare its predictions on")
    spec = VersionSpec(
        name="golden",
        runtime="onnx",
        task=infer_task(model),
        classes=infer_classes(model),
        input_schema=schema,
    )
    options = {id(model): {"zipmap": False}} if is_classifier(model) else None
    with translate_library_errors(partial(NotConvertible, class_name)):
        exported = convert_sklearn(
            model, initial_types=_input_types(model, schema), options=options
        )
        artifact: bytes = exported.SerializeToString()
        expected = predict_array(model, golden, spec.task)
    found = load(artifact, spec.make_card(1, Artifact(artifact))).predict(golden)
    compare_outputs(expected, found, relative=_TOLERANCE if spec.task == "regression" else 0.0)
    return artifact


def compare_outputs(expected: Outputs, found: Outputs, *, relative: float) -> None:
    """Raise if two arrays of the same shape differ by more than the tolerance in any value.

    Raises:
        GoldenMismatch: they do; the error has the first row that differs.
    """
    differs = ~np.isclose(found, expected, rtol=relative, atol=_TOLERANCE)
    if differs.any():
        first = tuple(np.argwhere(differs)[0])
        raise GoldenMismatch(int(first[0]), float(expected[first]), float(found[first]))


def _input_types(model: BaseEstimator, schema: InputSchema) -> InputTypes:
    strings = [feature.name for feature in schema.features if feature.kind == "string"]
    if not selects_columns(model):
        if strings:
            reason = f"{strings[0]} is a string; select it with a ColumnTransformer fitted by name"
            raise NotConvertible(type(model).__name__, reason)
        return [("features", FloatTensorType([None, len(schema.features)]))]
    return [
        (name, StringTensorType([None, 1]) if name in strings else FloatTensorType([None, 1]))
        for name in schema.names
    ]
