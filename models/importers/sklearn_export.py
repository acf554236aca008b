"""Export of a scikit-learn model to the fastest form that predicts what the original predicts."""

from contextlib import suppress
from copy import deepcopy
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from modstream.models.errors import (
    ForbiddenGlobal,
    GoldenMismatch,
    NotConvertible,
    PredictError,
    UnreadableArtifact,
)
from modstream.models.importers.fidelity import (
    ORIGINAL_TOLERANCE,
    TOLERANCE,
    AllowedDifference,
    compare_outputs,
    compare_rows,
)
from modstream.models.importers.onnx_export import Precision, export_graph
from modstream.models.importers.sklearn_samples import edge_batches
from modstream.models.runtimes.runtime import NamedOutputs, Outputs
from modstream.models.runtimes.sklearn_indices import has_finite_splits, parts_of
from modstream.models.runtimes.sklearn_introspection import (
    InputBuilder,
    array_outputs,
    infer_classes,
    infer_task,
    read_facts,
    takes_texts,
)
from modstream.models.runtimes.sklearn_outputs import NamedOutputReader, OutputSpec
from modstream.models.runtimes.sklearn_runtime import pack_and_rebuild
from modstream.models.schema.card import Fidelity, Task, output_form
from modstream.models.schema.input_schema import Batch, InputSchema

BATCH_TOLERANCE = 1e-6
"""Largest difference between a row alone and in a batch, relative to the value: sums are rounded
in another order."""
_PRECISIONS: tuple[Precision, ...] = ("float32", "float64")


class ExportedModel(NamedTuple):
    """An artifact, the runtime that loads it, and the Python package that wrote it.

    `schema` is the model's, with the type that the artifact computes in. `tolerance` is the
    difference from the original that is accepted.
    """

    artifact: bytes
    runtime: str
    library: str
    schema: InputSchema
    fidelity: Fidelity
    tolerance: float


class OriginalModel:
    """A fitted scikit-learn model, and what it takes and returns."""

    def __init__(self, model: BaseEstimator, schema: InputSchema, outputs: OutputSpec) -> None:
        self.model = model
        self.schema = schema
        self.outputs = outputs
        self.is_array = output_form(outputs.task, outputs.scores) == "array"
        self._inputs = InputBuilder(model)
        self._reader = NamedOutputReader(model, outputs)

    def predict(self, batch: Batch) -> Outputs | NamedOutputs:
        """Predict a batch in the form of a runtime."""
        inputs = self._inputs.build(batch)
        if self.is_array:
            return array_outputs(self.model, inputs, self.outputs.task)
        return self._reader.predict(inputs)

    def compare(
        self, expected: Outputs | NamedOutputs, found: Outputs | NamedOutputs, tolerance: float
    ) -> float:
        """Return the largest difference of outputs in the form of a runtime.

        Raises:
            GoldenMismatch: one is greater than the tolerance, relative to the value.
        """
        if isinstance(expected, np.ndarray) and isinstance(found, np.ndarray):
            return compare_outputs(expected, found, tolerance * (1 + np.abs(expected)))
        return compare_rows(list(expected), list(found), tolerance)

    def with_model(self, model: BaseEstimator) -> "OriginalModel":
        """Return the same description of another model."""
        return OriginalModel(model, self.schema, self.outputs)


def export_model(model: BaseEstimator, schema: InputSchema, golden: Batch) -> ExportedModel:
    """Export a fitted model with one label or one value; `golden` are rows of its own data.

    Raises:
        NotConvertible: there are no golden rows, the model has no probabilities, or it can be
            stored in no form.
    """
    if not golden.size:
        raise NotConvertible(type(model).__name__, "there are no golden rows to compare it on")
    outputs = OutputSpec(infer_task(model), "probability", infer_classes(model), ())
    return export_original(OriginalModel(model, schema, outputs), golden)


def export_original(original: OriginalModel, golden: Batch) -> ExportedModel:
    """Export a model to ONNX in float32 or float64, or to skops if neither is faithful.

    A graph is faithful if it predicts the same on the golden rows, and on rows between them where
    the model's outputs change most.

    Raises:
        NotConvertible: it can be stored in no form.
    """
    expected = original.predict(golden)
    if _may_be_graph(original) and isinstance(expected, np.ndarray):
        graph = _export_graph(original, golden, expected)
        if graph is not None:
            return graph
    return _store_original(original, golden, expected)


def _export_graph(
    original: OriginalModel, golden: Batch, expected: Outputs
) -> ExportedModel | None:
    """Return the graph with the lowest precision that is faithful; None if none is."""
    edges: Batch | None = None
    allowed = AllowedDifference(expected, original.outputs.task)
    # skl2onnx never ends in float64 on a threshold that float32 does not have.
    for precision in _PRECISIONS if has_finite_splits(original.model) else _PRECISIONS[:1]:
        try:
            graph = export_graph(original.model, original.schema, precision)
        except (NotConvertible, UnreadableArtifact):
            return None
        with suppress(GoldenMismatch, PredictError):
            difference = graph.compare(golden, expected, allowed)
            if edges is None:
                edges = edge_batches(golden, lambda batch: _array(original, batch))
            edge_difference = graph.compare(edges, _array(original, edges), allowed)
            compared = Fidelity(
                precision=precision,
                max_difference=max(difference, edge_difference),
                rows=golden.size + edges.size,
            )
            schema = schema_in(original.schema, precision)
            return ExportedModel(graph.artifact, "onnx", "skl2onnx", schema, compared, TOLERANCE)
    return None


def schema_in(schema: InputSchema, precision: str) -> InputSchema:
    """Return the schema with the range of the type that an artifact computes in."""
    dtype = "float32" if precision == "float32" else None
    return InputSchema(
        features=tuple(
            feature.model_copy(update={"dtype": dtype})
            if feature.kind == "float" and feature.dtype in {None, "float32"}
            else feature
            for feature in schema.features
        )
    )


def with_fitted_columns(model: BaseEstimator) -> BaseEstimator:
    """Return the model, or a copy in which functions that select columns gave way to the columns.

    Only a fit calls them, and an artifact has no functions of a user's own.
    """
    if not any(_selectors(part) for part in parts_of(model)):
        return model
    copied: BaseEstimator = deepcopy(model)
    for part in parts_of(copied):
        if _selectors(part):
            fitted = zip(part.transformers, part._columns, strict=True)  # noqa: SLF001
            part.transformers = [
                (name, transformer, columns) for (name, transformer, _), columns in fitted
            ]
    return copied


def _selectors(part: object) -> bool:
    """Return whether a part is a column transformer that selects columns by functions."""
    return isinstance(part, ColumnTransformer) and any(
        callable(columns) for _, _, columns in part.transformers
    )


def _array(original: OriginalModel, batch: Batch) -> Outputs:
    found = original.predict(batch)
    if not isinstance(found, np.ndarray):
        raise NotConvertible(type(original.model).__name__, "its outputs are not one array")
    return found


def _may_be_graph(original: OriginalModel) -> bool:
    """Return whether a graph can mean the same as the model.

    A graph has no missing strings, takes an unknown category for none at all where the original
    raises an error, and splits texts into other words.
    """
    if not original.is_array or original.outputs.task == "anomaly":
        return False
    if takes_texts(original.model) or any(
        feature.missing and feature.kind == "string" for feature in original.schema.features
    ):
        return False
    return not any(fact.is_strict or fact.is_text for fact in read_facts(original.model))


def repeatable_rows(original: OriginalModel, batch: Batch) -> Batch:
    """Return the rows of a batch that the model predicts alone as it predicts them together.

    Rows that it cannot predict alone are left out.

    Raises:
        NotConvertible: a row's prediction is random, or depends on the rows beside it.
    """
    together = original.predict(batch)
    kept = []
    for at in range(batch.size):
        try:
            alone = original.predict(batch.take([at]))
        except Exception:  # noqa: BLE001, S112 - a model may raise anything
            continue
        try:
            original.compare(together[at : at + 1], alone, BATCH_TOLERANCE)
        except GoldenMismatch as error:
            reason = (
                "its prediction of a row is not always the same:"
                f" {error.expected!r} among other rows, {error.found!r} alone"
            )
            raise NotConvertible(type(original.model).__name__, reason) from error
        kept.append(at)
    if not kept:
        reason = "it predicts rows together, but none of them alone"
        raise NotConvertible(type(original.model).__name__, reason)
    return batch.take(kept)


def _purpose(task: Task) -> str:
    """Return how a message calls the estimators of a task, with one that can be stored."""
    if task == "clustering":
        return "clusterer, such as MiniBatchKMeans,"
    if task == "anomaly":
        return "detector, such as IsolationForest,"
    return "estimator of scikit-learn's own"


def _store_original(
    original: OriginalModel, golden: Batch, expected: Outputs | NamedOutputs
) -> ExportedModel:
    kind = type(original.model).__name__
    try:
        artifact, copy = pack_and_rebuild(with_fitted_columns(original.model))
    except UnreadableArtifact as error:
        reason = (
            "it has no faithful ONNX export, and skops cannot store it"
            f" ({error.reason.rstrip('.')}): use another {_purpose(original.outputs.task)} instead"
        )
        raise NotConvertible(kind, reason) from error
    except ForbiddenGlobal as error:
        reason = (
            f"workers do not load {error.qualified_name}, and no ONNX export predicts the same:"
            " replace it by a part of scikit-learn's own, or export the model to ONNX with the"
            " converter of its own library, and publish that file"
        )
        raise NotConvertible(kind, reason) from error
    stored = original.with_model(copy).predict(golden)
    try:
        difference = original.compare(expected, stored, ORIGINAL_TOLERANCE)
    except GoldenMismatch as error:
        raise NotConvertible(kind, f"its copy in skops predicts otherwise ({error})") from error
    fidelity = Fidelity(precision="original", max_difference=difference, rows=golden.size)
    schema = schema_in(original.schema, "original")
    return ExportedModel(artifact, "sklearn", "skops", schema, fidelity, BATCH_TOLERANCE)
