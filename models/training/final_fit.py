"""The fit of a chosen model on all rows for training, and its export."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import make_pipeline

from modstream.models.errors import ArtifactError
from modstream.models.evaluation.arrays import FloatArray
from modstream.models.importers.sklearn import ExportedModel, export_model
from modstream.models.runtimes.sklearn_introspection import predict_array
from modstream.models.schema.input_schema import Batch
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.encoding import encode, fit_encoder, make_encoder, raw_inputs
from modstream.models.training.ensembles import fit_stack
from modstream.models.training.thresholds import align_thresholds
from modstream.models.training.trials import ModelOutputs, ModelTrial, fitting


class FittedModel(NamedTuple):
    """A trial, its model fitted on all rows for training, and what a worker loads of it."""

    trial: ModelTrial
    model: BaseEstimator
    exported: ExportedModel


def fit_first_exportable(
    trials: Sequence[ModelTrial], dataset: LabelledDataset, golden: Batch, threads: int = 1
) -> FittedModel:
    """Fit and export the first trial for which that is possible; `trials` are the best first.

    Raises:
        ArtifactError: none can be exported; the error is that of the last one.
    """
    *others, last = trials
    for trial in others:
        model = fit(trial, dataset, threads)
        with suppress(ArtifactError):
            return FittedModel(trial, model, _export(model, dataset, golden))
    model = fit(last, dataset, threads)
    return FittedModel(last, model, _export(model, dataset, golden))


def fit(trial: ModelTrial, dataset: LabelledDataset, threads: int = 1) -> BaseEstimator:
    """Return a trial's model, fitted on a data set, behind an encoder if the data set needs one."""
    schema, targets = dataset.card.input_schema, dataset.targets()
    inputs = raw_inputs(dataset.batch, schema)
    encoder = make_encoder(schema, inputs, dataset.card.task)
    matrix = fit_encoder(encoder, inputs, targets)
    with fitting(threads):
        model = _fit_estimator(trial, matrix, targets)
    align_thresholds(model, encode(encoder, inputs))
    return model if encoder is None else make_pipeline(encoder, model)


def predict(model: BaseEstimator, dataset: LabelledDataset) -> ModelOutputs:
    """Return a fitted model's outputs for all rows."""
    return predict_array(model, dataset.batch, dataset.card.task)


def _fit_estimator(trial: ModelTrial, matrix: FloatArray, targets: NDArray[Any]) -> BaseEstimator:
    if trial.final_model is None:
        return clone(trial.estimator).fit(matrix, targets)
    members = [
        (name, clone(member).fit(matrix, targets)) for name, member in trial.estimator.estimators
    ]
    return fit_stack(trial.estimator, trial.final_model, members, matrix, targets)


def _export(model: BaseEstimator, dataset: LabelledDataset, golden: Batch) -> ExportedModel:
    return export_model(model, dataset.card.input_schema, golden)
