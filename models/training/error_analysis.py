"""Where the models of a search err: on rows later than those that they were fitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modstream.models.evaluation.arrays import FloatArray, IntArray
from modstream.models.evaluation.monitoring.features import (
    CategoryColumn,
    FeatureColumn,
    NumberColumn,
)
from modstream.models.evaluation.monitoring.scored_rows import ScoredRows
from modstream.models.evaluation.monitoring.slice_search import SliceSearch, find_worst_slices
from modstream.models.evaluation.monitoring.slices import SliceFigures
from modstream.models.schema.card import Task
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.ensembles import error_correlations
from modstream.models.training.folds import TimeOrderedFolds
from modstream.models.training.trials import ModelOutputs, ModelTrial

MAX_SHOWN_ROWS = 10
"""Number of rows that are shown of each kind."""
MAX_COMPARED = 5
"""Number of models whose errors are compared."""


@dataclass(frozen=True, slots=True)
class AnalysedRow:
    """A row, its label, and the predictions of the models by name; the chosen model's is first.

    The row is without sensitive features. A prediction is the probability of the second class of
    two, the class of several, or the value.
    """

    features: Mapping[str, Any]
    label: Any
    predictions: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ErrorAnalysis:
    """The errors of the chosen model, and how those of the best models differ.

    `slices` are the groups of rows with the greatest loss, `mistakes` the rows with the greatest,
    `disagreements` those on which the models `names` differ most. `correlations` (k, k) are those
    of the models' errors. `rows` is the number of rows that all of it is about.
    """

    rows: int
    slices: tuple[SliceFigures, ...]
    mistakes: tuple[AnalysedRow, ...]
    disagreements: tuple[AnalysedRow, ...]
    names: tuple[str, ...]
    correlations: FloatArray


def analyse_errors(
    dataset: LabelledDataset,
    folds: TimeOrderedFolds,
    chosen: ModelTrial,
    trials: Sequence[ModelTrial],
) -> ErrorAnalysis:
    """Analyse the errors of a chosen trial among all trials of a search, the best first."""
    rows = folds.scored_rows
    scored = dataset.take(rows)
    targets, task = folds.targets[rows], folds.task
    compared = list(chosen.members) or _comparable(chosen, trials)
    names = _unique_names(compared)
    shown = {chosen.name: chosen.outputs} | dict(
        zip(names, (one.outputs for one in compared), strict=True)
    )
    rows_scored = ScoredRows(task, targets.astype(np.float64), _single(chosen.outputs, task))
    slices = find_worst_slices(rows_scored, feature_columns(scored), SliceSearch(max_found=8))
    losses = _losses(chosen.outputs, targets, task)
    spread = np.zeros(len(rows)) if len(compared) < 2 else _spread(compared)
    return ErrorAnalysis(
        len(rows),
        slices.slices,
        _shown_rows(scored, np.argsort(-losses, kind="stable"), shown),
        _shown_rows(scored, np.argsort(-spread, kind="stable"), shown) if spread.any() else (),
        names,
        error_correlations(compared, folds),
    )


def feature_columns(dataset: LabelledDataset) -> dict[str, FeatureColumn]:
    """Return the features as the search for slices takes them, without sensitive ones."""
    found: dict[str, FeatureColumn] = {}
    for name, column in dataset.batch.columns.items():
        if name in dataset.card.input_schema.sensitive_names:
            continue
        if column.dtype == object:
            places: dict[str, int] = {}
            codes = [-1 if one is None else places.setdefault(one, len(places)) for one in column]
            found[name] = CategoryColumn(np.array(codes, dtype=np.int64), tuple(places))
        else:
            found[name] = NumberColumn(column.astype(np.float64))
    return found


def _comparable(chosen: ModelTrial, trials: Sequence[ModelTrial]) -> list[ModelTrial]:
    """Return the best single models that were scored on as many rows, the chosen one first."""
    others = [
        one
        for one in trials
        if one is not chosen
        and not one.members
        and one.stride == chosen.stride
        and one.scores
        and one.outputs.size
    ]
    return [chosen, *others[: MAX_COMPARED - 1]]


def _unique_names(trials: Sequence[ModelTrial]) -> tuple[str, ...]:
    return tuple(f"{one.kind} {at}" for at, one in enumerate(trials, 1))


def _single(outputs: ModelOutputs, task: Task) -> FloatArray:
    """Return one number a row: a probability, the position of the class, or a value."""
    return outputs.argmax(axis=1).astype(np.float64) if task == "multiclass" else outputs


def _losses(outputs: ModelOutputs, targets: Any, task: Task) -> FloatArray:  # noqa: ANN401 - (n,)
    if task == "multiclass":
        return np.asarray(1 - outputs[np.arange(len(targets)), targets])
    return np.asarray(np.abs(targets - outputs))


def _spread(trials: Sequence[ModelTrial]) -> FloatArray:
    outputs = np.array([one.outputs for one in trials])
    spread = outputs.std(axis=0)
    return np.asarray(spread.max(axis=1) if spread.ndim > 1 else spread)


def _shown_rows(
    dataset: LabelledDataset, order: IntArray, outputs: Mapping[str, ModelOutputs]
) -> tuple[AnalysedRow, ...]:
    chosen = [int(at) for at in order[:MAX_SHOWN_ROWS]]
    rows = dataset.batch.take(chosen).rows()
    hidden = dataset.card.input_schema.sensitive_names
    return tuple(
        AnalysedRow(
            {name: value for name, value in row.items() if name not in hidden},
            dataset.labels[at],
            {name: _shown(found[at], dataset) for name, found in outputs.items()},
        )
        for at, row in zip(chosen, rows, strict=True)
    )


def _shown(output: Any, dataset: LabelledDataset) -> Any:  # noqa: ANN401 - a number or (c,)
    if dataset.card.task == "multiclass":
        return dataset.classes[int(np.argmax(output))]
    return float(output)
