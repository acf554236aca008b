"""What an answer costs once the truth is known, from 0 to 1; and a stream of errors to watch."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modstream.models.errors import PredictError
from modstream.models.runtimes.runtime import Outputs, Runtime
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, Scalar

Floats = npt.NDArray[np.float64]

COMPARED = frozenset({"binary", "multiclass", "regression"})
"""Tasks whose answers have a loss here."""

Scores = tuple[float, ...]
"""What several models said of one row."""

LONGEST = 50
"""Answers of one class that wait for a partner; of more the oldest are left out."""


def answers(runtime: Runtime, batch: Batch) -> Outputs | None:
    """What a model says of the rows; None where it fails on them."""
    try:
        return runtime.predict(batch)
    except PredictError:
        return None


def losses(
    card: ModelCard, said: Outputs | None, labels: Sequence[Scalar], error_scale: float = 1.0
) -> Floats:
    """The loss of each answer, (n,) in [0, 1]; no answer, or none that is finite, costs 1.

    Brier's score (G. W. Brier, Monthly Weather Review 78, 1950) of a binary task, half of it for
    more classes; of a regression the absolute error in units of `error_scale`, at most 1.
    """
    if said is None:
        return np.ones(len(labels))
    if card.task == "regression":
        found = np.abs(said - np.asarray(labels, np.float64)) / error_scale
    elif card.task == "binary":
        found = np.square(said - positives(card, labels))
    else:
        true = np.array([[known == label for known in card.classes] for label in labels])
        found = np.square(said - true).sum(axis=1) / 2
    clipped: Floats = np.where(np.isfinite(found), np.clip(found, 0.0, 1.0), 1.0)
    return clipped


def positives(card: ModelCard, labels: Sequence[Scalar]) -> Floats:
    """Binary labels as 0 and 1, (n,)."""
    positive = card.classes[1] if card.classes else True
    return np.array([float(label == positive) for label in labels])


@dataclass(slots=True)
class RankErrors:
    """The AUC of several models on one stream: is the late one rated above the one on time?

    Labels of the two classes are paired, each with the newest of the other class that has no
    partner yet, for all models alike: 1 if a model's answers are in the wrong order, a half if they
    tie. The mean of a model's errors is 1 - AUC (Mann and Whitney, 1947). Unlike a loss it does not
    rise when a storm makes all flights late; and as each answer is used once, a single odd one
    raises no alarm. When other models are asked than before, pairing begins anew.
    """

    _names: tuple[str, ...] = ()
    _waiting: tuple[deque[Scores], deque[Scores]] = field(
        default_factory=lambda: (deque(maxlen=LONGEST), deque(maxlen=LONGEST))
    )

    def __call__(self, truths: Floats, said: Mapping[str, Floats]) -> dict[str, Floats]:
        """The errors of the pairs that answers (n,) complete, oldest first; at most n.

        An answer that is not finite is in the wrong order.
        """
        if self._names != tuple(said):
            self._names = tuple(said)
            for waiting in self._waiting:
                waiting.clear()
        rows = zip(*(scores.tolist() for scores in said.values()), strict=True)
        pairs = list(self._paired(truths.tolist(), rows))
        if not pairs:
            return {name: np.empty(0) for name in said}
        late, on_time = np.array(pairs).transpose(1, 2, 0)
        wrong = np.where(late == on_time, 0.5, np.where(late > on_time, 0.0, 1.0))
        return dict(zip(said, wrong, strict=True))

    def _paired(
        self, truths: Iterable[float], rows: Iterable[Scores]
    ) -> Iterator[tuple[Scores, Scores]]:
        for truth, row in zip(truths, rows, strict=True):
            others = self._waiting[not truth]
            if others:
                yield (row, others.pop()) if truth else (others.pop(), row)
            else:
                self._waiting[bool(truth)].append(row)
