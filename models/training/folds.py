"""Time-ordered folds of a data set, encoded once for all models that are compared on them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.training.budget import Stopwatch
from modstream.models.training.dataset import (
    LabelledDataset,
    RowIndices,
    has_every_class,
    time_series_folds,
)
from modstream.models.training.encoding import (
    encode,
    fit_encoder,
    make_encoder,
    raw_inputs,
    take_rows,
)
from modstream.models.training.trials import (
    ModelOutputs,
    compute_outputs,
    fitting,
    score_outputs,
)

MAX_SCORED_ROWS = 10_000
"""Largest number of rows that one fold is scored on; of more, every second, third, ... is."""
RUNG_FACTOR = 3
"""How many times more rows a model is fitted on after each rung."""
MIN_RUNG_ROWS = 10_000
"""Smallest number of rows of a rung, unless there are fewer."""


@dataclass(frozen=True, slots=True)
class EncodedFold:
    """Encoded rows to fit on, and later ones to score on, with their targets."""

    fitted: FloatArray
    fitted_targets: NDArray[Any]
    scored: FloatArray
    scored_targets: NDArray[Any]


class TimeOrderedFolds:
    """The folds of a data set at any stride of the rows that are fitted.

    A model is fitted on every `stride`-th of the older rows of a fold, and scored on later rows,
    which are the same at each stride. The folds of one stride are kept.
    """

    def __init__(self, dataset: LabelledDataset, count: int, threads: int) -> None:
        """Choose the folds.

        Raises:
            NoUsableFold: no fold has enough classes to fit and score on.
        """
        self.task = dataset.card.task
        self.targets = dataset.targets()
        self._schema = dataset.card.input_schema
        self._classes = len(dataset.classes)
        self._inputs = raw_inputs(dataset.batch, self._schema)
        self._threads = threads
        folds = time_series_folds(dataset, count)
        self._folds = [(fitted, _thinned(scored)) for fitted, scored in folds]
        self._encoded: tuple[int, list[EncodedFold]] = (0, [])

    @property
    def scored_rows(self) -> RowIndices:
        """The positions of the rows that the folds are scored on, in order."""
        return np.concatenate([scored for _, scored in self._folds])

    def split(self, outputs: NDArray[Any]) -> list[NDArray[Any]]:
        """Return what belongs to the scored rows, in their order, by fold."""
        borders = np.cumsum([len(scored) for _, scored in self._folds])[:-1]
        return np.split(outputs, borders)

    def strides(self) -> list[int]:
        """Return the strides of the rungs, the one with the fewest rows first; the last is 1."""
        rows, strides = len(self.targets), [1]
        while rows // (strides[0] * RUNG_FACTOR) >= MIN_RUNG_ROWS:
            strides.insert(0, strides[0] * RUNG_FACTOR)
        return strides

    def evaluate(
        self, estimator: BaseEstimator, stride: int, metric: str
    ) -> tuple[tuple[float, ...], ModelOutputs, float]:
        """Return the score of each fold, the outputs of all scored rows, and the seconds of CPU."""
        watch, scores, outputs = Stopwatch(), [], []
        for fold in self._encode(stride):
            with fitting(self._threads):
                model = clone(estimator).fit(fold.fitted, fold.fitted_targets)
                found = compute_outputs(model, fold.scored, self.task)
            score = score_outputs(fold.scored_targets, found, self.task, metric)
            outputs.append(found)
            if score is not None:
                scores.append(score)
        return tuple(scores), np.concatenate(outputs), watch.spent().cpu

    def encode_all(self) -> tuple[FloatArray, NDArray[Any]]:
        """Return all rows, encoded by themselves, and their targets."""
        encoder = make_encoder(self._schema, self._inputs, self.task)
        return fit_encoder(encoder, self._inputs, self.targets), self.targets

    def score(self, outputs: ModelOutputs, metric: str) -> tuple[float, ...]:
        """Return the score of each fold for outputs of all scored rows."""
        parts = zip(self.split(self.targets[self.scored_rows]), self.split(outputs), strict=True)
        found = (score_outputs(targets, one, self.task, metric) for targets, one in parts)
        return tuple(score for score in found if score is not None)

    def _encode(self, stride: int) -> list[EncodedFold]:
        if self._encoded[0] != stride:
            self._encoded = (stride, [self._encode_fold(*fold, stride) for fold in self._folds])
        return self._encoded[1]

    def _encode_fold(self, fitted: RowIndices, scored: RowIndices, stride: int) -> EncodedFold:
        # The newest row is always one of them.
        chosen = fitted[::-1][::stride][::-1]
        if not has_every_class(self.targets[chosen], self._classes):
            chosen = fitted
        older = take_rows(self._inputs, chosen)
        encoder = make_encoder(self._schema, older, self.task)
        matrix = fit_encoder(encoder, older, self.targets[chosen])
        later = encode(encoder, take_rows(self._inputs, scored))
        return EncodedFold(matrix, self.targets[chosen], later, self.targets[scored])


def _thinned(rows: RowIndices) -> RowIndices:
    step = -(-len(rows) // MAX_SCORED_ROWS)
    return rows[::step]
