"""scikit-learn models as ONNX, proved on golden rows: https://onnx.ai/sklearn-onnx."""

from functools import partial

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator, is_classifier

from modstream.models.errors import GoldenMismatch, NotConvertible
from modstream.models.runtimes.library_errors import translated
from modstream.models.runtimes.onnx_runtime import load
from modstream.models.runtimes.runtime import Outputs
from modstream.models.runtimes.sklearn_introspection import (
    answers,
    classes_of,
    infer_schema,
    selects_columns,
    task_of,
)
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.version_spec import Draft

__all__ = ["classes_of", "infer_schema", "task_of", "to_onnx"]

_TOLERANCE = 1e-4
"""How far float32 may stray: absolute for probabilities, relative too for regressions."""

Inputs = list[tuple[str, FloatTensorType | StringTensorType]]


def to_onnx(model: BaseEstimator, schema: InputSchema, golden: Batch) -> bytes:
    """Export a fitted model and compare the export's answers to rows of its own data.

    The inputs are one [n, 1] tensor per feature, floats or strings, if the model selects columns
    by name, and else a single [n, k] tensor of floats.

    Raises:
        NotConvertible: skl2onnx does not know the model or a part of it; keep it with skops.
        GoldenMismatch: the export answers differently.
    """
    kind = type(model).__name__
    if not golden.size:
        raise NotConvertible(kind, "there are no golden rows to compare")
    draft = Draft(
        name="golden",
        runtime="onnx",
        task=task_of(model),
        classes=classes_of(model),
        input_schema=schema,
    )
    options = {id(model): {"zipmap": False}} if is_classifier(model) else None
    with translated(partial(NotConvertible, kind)):
        exported = convert_sklearn(model, initial_types=_inputs(model, schema), options=options)
        artifact: bytes = exported.SerializeToString()
        expected = answers(model, golden, draft.task)
    found = load(artifact, draft.card(1, artifact)).predict(golden)
    _compare(expected, found, relative=_TOLERANCE if draft.task == "regression" else 0.0)
    return artifact


def _inputs(model: BaseEstimator, schema: InputSchema) -> Inputs:
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


def _compare(expected: Outputs, found: Outputs, *, relative: float) -> None:
    differs = ~np.isclose(found, expected, rtol=relative, atol=_TOLERANCE)
    if differs.any():
        first = tuple(np.argwhere(differs)[0])
        raise GoldenMismatch(int(first[0]), float(expected[first]), float(found[first]))
