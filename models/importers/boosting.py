"""Import of gradient boosting by XGBoost, LightGBM and CatBoost: converted to ONNX and compared.

Workers need none of these libraries. The import needs the model's own, and onnxmltools for the
first two: the extras `xgboost`, `lightgbm` and `catboost` of modstream install them.
"""

from dataclasses import replace
from importlib.metadata import version

import numpy as np

from modstream.models.errors import (
    GoldenMismatch,
    NotConvertible,
    OptionNotSupported,
    PredictError,
)
from modstream.models.importers.boosting_libraries import BoostingModel, Matrix
from modstream.models.importers.boosting_trees import golden_matrix, with_missing
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.fidelity import (
    TOLERANCE,
    AllowedDifference,
    compare_labels,
    compare_outputs,
)
from modstream.models.importers.imported_model import ImportedModel, Samples
from modstream.models.importers.onnx.importer import import_onnx
from modstream.models.importers.sklearn_signature import renamed_features
from modstream.models.runtimes.onnx_runtime import load
from modstream.models.runtimes.runtime import Runtime
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import Fidelity
from modstream.models.schema.input_schema import Batch, Feature, InputSchema

SHOWN_ROWS = 16
"""Number of rows that the trial compares with the model's own library."""


def import_boosting(
    name: str, model: BoostingModel, description: ModelDescription, note: str = ""
) -> ImportedModel:
    """Import a converted model, after its graph has predicted what its own library predicts.

    The rows of the comparison are at the thresholds of its trees, and the caller's samples. A
    feature may be missing if the graph also agrees on rows with missing values.

    Raises:
        OptionNotSupported: the description contradicts the model.
        NotConvertible: the graph predicts something else, or its outputs are not one array.
        MeaningUnknown: the graph does not say what a part of it means.
    """
    features = _features(model, description)
    described = replace(
        description, features=features, classes=description.classes or model.classes
    )
    imported = import_onnx(name, model.graph.SerializeToString(), note or model.kind, described)
    schema = imported.spec.input_schema
    rows = _as_kinds(schema, golden_matrix(model.graph, model.width))
    if description.samples:
        samples = schema.parse_rows(description.samples).batch
        rows = np.vstack([rows, np.column_stack([*samples.columns.values()])])
    difference = _difference(model, imported, rows)
    if any(one.missing for one in features):
        try:
            difference = max(difference, _difference(model, imported, with_missing(rows)))
        except NotConvertible as error:
            asked = next((one.name for one in description.features if one.missing), None)
            if asked is not None:
                reason = f"without a value of {asked!r}, {error.reason}"
                raise OptionNotSupported("--feature", reason) from error
            complete = tuple(one.model_copy(update={"missing": False}) for one in features)
            return import_boosting(name, model, replace(description, features=complete), note)
    shown = rows[-SHOWN_ROWS:]
    spec = imported.spec.model_copy(
        update={
            "fidelity": Fidelity(precision="float32", max_difference=difference, rows=len(rows)),
            "libraries": {one: version(one) for one in ("onnx", model.library)},
        }
    )
    named = [dict(zip(schema.names, row, strict=True)) for row in shown.tolist()]
    for row in named:
        row.update((one.name, bool(row[one.name])) for one in schema.features if one.kind == "bool")
    compared = Samples(
        schema.raw_rows(schema.parse_rows(named).batch), model.predict(shown), TOLERANCE
    )
    return ImportedModel(spec, imported.artifact, compared)


def _features(model: BoostingModel, description: ModelDescription) -> tuple[Feature, ...]:
    """Return the described features, or those that the model names; they may be missing."""
    names = model.names or [f"x{at}" for at in range(model.width)]
    own = tuple(Feature(name=one, kind="float", missing=True) for one in names)
    if not description.features:
        return own
    return renamed_features(InputSchema(features=own), (), description.features).features


def _difference(model: BoostingModel, imported: ImportedModel, rows: Matrix) -> float:
    """Return the largest difference of the graph's outputs from those of the model's library.

    Raises:
        NotConvertible: one is too large, or an output is another one.
    """
    card = imported.spec.make_card(1, Artifact(imported.artifact))
    runtime = load(imported.artifact, card)
    if not isinstance(runtime, Runtime):
        reason = (
            "its ONNX export has neither probabilities nor one value: train it with one target, and"
            " with an objective such as multi:softprob"
        )
        raise NotConvertible(model.kind, reason)
    expected = model.predict(rows)
    try:
        found = runtime.predict(Batch.of_matrix(card.input_schema.names, rows))
        if found.shape != expected.shape:
            reason = (
                f"its outputs have the shape {expected.shape}, those of its ONNX export another"
            )
            raise NotConvertible(model.kind, f"{reason}, {found.shape}")
        if card.task == "multiclass":
            compare_labels(expected, found)
        allowed = AllowedDifference(expected, card.task)
        return compare_outputs(expected, found, allowed.of(expected))
    except (GoldenMismatch, PredictError) as error:
        reason = (
            f"its ONNX export predicts something else ({error}): the converter does not know one of"
            " its parameters, such as the objective, the kind of boosting or linear trees; train it"
            " with the library's default for these"
        )
        raise NotConvertible(model.kind, reason) from error


def _as_kinds(schema: InputSchema, rows: Matrix) -> Matrix:
    """Return rows with integers for the features that are integers, and 0 or 1 for booleans."""
    kinds = [one.kind for one in schema.features]
    rounded = np.where([kind == "int" for kind in kinds], np.rint(rows), rows)
    return np.where([kind == "bool" for kind in kinds], rounded > 0, rounded)
