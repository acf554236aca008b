"""Predictions of models whose prediction methods change them, each made from the same state.

Some of River's models draw random numbers when they predict, or initialize weights for features
that they see for the first time. An answer must depend neither on the requests before it nor on the
batch, and a prediction must not change what is learned. So these models predict on copies.
"""

import pickle
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

IMPURE_CLASSES = (
    *("AdPredictor", "CluStream", "FFMClassifier", "FFMRegressor", "FMClassifier", "FMRegressor"),
    *("FwFMClassifier", "FwFMRegressor", "GapEncoder", "GaussianRandomProjector", "HOFMClassifier"),
    *("HOFMRegressor", "KMeans", "LDA", "MonteCarloClassifierChain", "PoissonInclusion"),
    *("RandomTreesEmbedding", "RBFSampler", "STREAMKMeans", "SparseRandomProjector", "TextClust"),
)
"""The names of River's classes whose prediction methods change what they predict or learn later.

Others only cache what they compute, or fill in zeros. tests/zoo checks all of River's classes.
"""


def is_impure(pickled: bytes) -> bool:
    """Return whether a pickled model may contain one of `IMPURE_CLASSES`."""
    return any(name.encode() in pickled for name in IMPURE_CLASSES)


class IsolatedModel:
    """A model that predicts each row from the state that it was created with."""

    __slots__ = ("_pickled", "_unchanged")

    def __init__(self, model: object) -> None:
        self._pickled = pickle.dumps(model, protocol=5)
        # A pickle of a copy differs from the original's in how equal parts are shared.
        self._unchanged = pickle.dumps(self._copy(), protocol=5)

    def predict_each(self, predict: Callable[[Any, Any], Any], rows: Sequence[Any]) -> list[Any]:
        """Return what `predict(model, row)` returns for each row, if it is the first to be asked.

        Raises:
            Exception: whatever the model raises about a row.
        """
        # Some transformers change the rows themselves.
        copy, kept = self._copy(), deepcopy(rows)
        outputs = [predict(copy, row) for row in rows]
        if len(rows) < 2 or pickle.dumps(copy, protocol=5) == self._unchanged:
            return outputs
        return [predict(self._copy(), row) for row in kept]

    def _copy(self) -> object:
        return pickle.loads(self._pickled)  # noqa: S301 - written by this process
