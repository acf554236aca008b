"""Import of fitted scikit-learn models: as ONNX where the export is faithful, else as skops."""

from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from modstream.models.errors import GoldenMismatch, NotConvertible
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.runtimes.sklearn_introspection import (
    infer_classes,
    infer_schema,
    infer_task,
)
from modstream.models.runtimes.sklearn_runtime import pack
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.synthetic import synthetic_batch
from modstream.models.schema.version_spec import VersionSpec

GOLDEN_ROW_COUNT = 256


class ExportedModel(NamedTuple):
    """An artifact, the runtime that loads it, and the Python package that wrote it."""

    artifact: bytes
    runtime: str
    library: str


def import_sklearn(name: str, model: BaseEstimator, note: str = "") -> ImportedModel:
    """Import a fitted scikit-learn model; its schema, task and classes are read from the model.

    Raises:
        NotConvertible: it is not a fitted classifier or regressor.
        ForbiddenGlobal: the model has no faithful ONNX export, and its skops file would use a type
            that is not on the allow-list.
    """
    schema = infer_schema(model)
    artifact, runtime, library = export_model(model, schema, golden_rows(schema))
    spec = VersionSpec(
        name=name,
        runtime=runtime,
        task=infer_task(model),
        classes=infer_classes(model),
        input_schema=schema,
        libraries={package: version(package) for package in ("scikit-learn", library)},
        note=note or type(model).__name__,
    )
    return ImportedModel(spec, artifact)


def export_model(model: BaseEstimator, schema: InputSchema, golden: Batch) -> ExportedModel:
    """Export a fitted model to ONNX, or to skops if its ONNX export is impossible or differs.

    `golden` are the rows on which the export is compared with the original.

    Raises:
        ForbiddenGlobal: skops would use a type that is not on the allow-list.
        UnreadableArtifact: skops cannot describe the model.
    """
    try:
        return ExportedModel(to_onnx(model, schema, golden), "onnx", "skl2onnx")
    except (NotConvertible, GoldenMismatch):
        return ExportedModel(pack(model), "sklearn", "skops")


def golden_rows(schema: InputSchema) -> Batch:
    """Return rows to compare an export on: each feature's range, and random floats (sd 10)."""
    rng = np.random.default_rng(0)
    rows = synthetic_batch(schema, GOLDEN_ROW_COUNT).rows()
    for row in rows[::2]:
        for feature in schema.features:
            if feature.kind == "float":
                row[feature.name] = float(np.float32(rng.normal(scale=10.0)))
    return schema.parse_rows(rows).batch
