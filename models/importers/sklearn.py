"""Import of fitted scikit-learn models: as ONNX where the export is faithful, else as skops."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version

from sklearn.base import BaseEstimator
from sklearn.model_selection._search import BaseSearchCV

from modstream.models.errors import NotConvertible
from modstream.models.importers.boosting_libraries import library_of_object
from modstream.models.importers.description import NO_DESCRIPTION, ModelDescription
from modstream.models.importers.imported_model import ImportedModel, Samples
from modstream.models.importers.sklearn_export import (
    ExportedModel,
    OriginalModel,
    export_model,
    export_original,
    repeatable_rows,
)
from modstream.models.importers.sklearn_rows import find_rows
from modstream.models.importers.sklearn_samples import card_rows, rows_of
from modstream.models.importers.sklearn_signature import read_outputs
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.sklearn_indices import parts_of
from modstream.models.runtimes.sklearn_introspection import InputBuilder, infer_width, quiet
from modstream.models.schema.version_spec import VersionSpec

__all__ = ["ExportedModel", "export_model", "import_sklearn"]

TRIAL_ROW_COUNT = 16
"""Largest number of rows that the trial of a version compares with the original."""


def import_sklearn(
    name: str,
    model: BaseEstimator,
    note: str = "",
    description: ModelDescription = NO_DESCRIPTION,
) -> ImportedModel:
    """Import a fitted scikit-learn model; what it takes and returns is read from the model.

    Classifiers with probabilities and regressions are exported to ONNX, in float32 or else in
    float64, if the graph predicts the same on rows of the model's own scale and where its outputs
    change most. Every other model is stored as it is, with skops.

    Raises:
        OptionNotSupported: the description contradicts the model, or cannot be honoured.
        NotConvertible: it is not a fitted model, has no outputs that can be served, or has neither
            a faithful ONNX export nor only parts that workers load from skops.
    """
    kind = type(model).__name__
    with translate_library_errors(partial(_failed, kind)), quiet():
        if not isinstance(model, BaseEstimator):
            raise NotConvertible(kind, _why_no_model(model))
        while isinstance(model, BaseSearchCV) and hasattr(model, "best_estimator_"):
            # The search itself, with its results and scorers, does not predict.
            model = model.best_estimator_
        _refuse_boosting_inside(model)
        infer_width(model)
        schema, batch = find_rows(model, description)
        inputs = InputBuilder(model).build(batch)
        outputs = read_outputs(model, inputs, description)
        original = OriginalModel(model, schema, outputs)
        shown = repeatable_rows(original, batch.take(range(min(batch.size, TRIAL_ROW_COUNT))))
        exported = export_original(original, batch)
        rows = rows_of(schema, shown)
        samples = Samples(rows, original.predict(shown), exported.tolerance)
    spec = VersionSpec(
        name=name,
        runtime=exported.runtime,
        task=outputs.task,
        scores=outputs.scores,
        classes=outputs.classes,
        targets=outputs.targets,
        input_schema=exported.schema,
        fidelity=exported.fidelity,
        sample_rows=card_rows(rows),
        libraries={package: version(package) for package in ("scikit-learn", exported.library)},
        note=note or kind,
    )
    return ImportedModel(spec, exported.artifact, samples)


def _failed(kind: str, reason: str) -> NotConvertible:
    """Return the error for a model that fails on rows that were made for it."""
    return NotConvertible(kind, f"{reason}; give rows of its own data with --sample")


def _why_no_model(found: object) -> str:
    """Return why an unpickled object is no model, and what to do."""
    reason = "it is neither a scikit-learn estimator nor a River model"
    if isinstance(found, Mapping | Sequence) and not isinstance(found, str | bytes):
        return f"{reason}; pickle the fitted model itself, without what holds it"
    return f"{reason}; export a model of another library to ONNX, and publish that file"


def _refuse_boosting_inside(model: BaseEstimator) -> None:
    """Raise if a model of XGBoost, LightGBM or CatBoost is a part of a scikit-learn model.

    Raises:
        NotConvertible: it is; workers load none of these libraries.
    """
    found = next((part for part in parts_of(model) if library_of_object(part) is not None), None)
    if found is not None:
        reason = (
            f"workers do not load its part {type(found).__name__}: train that on the features as"
            " they are, since trees need no scaler, and publish it alone; or export the whole model"
            " to ONNX yourself, and publish that file"
        )
        raise NotConvertible(type(model).__name__, reason)
