"""Labelled rows in the order of time, and what may be trained from them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import TimeSeriesSplit

from modstream.models.errors import NoFold, NotTrainable, TooFewOfClass, TooFewRows, TooManyBroken
from modstream.models.evaluation.metrics import Answer
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, Scalar
from modstream.models.training.settings import TrainSettings

FEWEST_TAUGHT = 3
"""Rows of a class in what a model is fitted on, or tested on."""

Rows = npt.NDArray[np.intp]
Targets = npt.NDArray[np.int64] | npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows whose truth is known, oldest first.

    `card` is the champion's: task, classes and schema. `served` is what it answered, where it did;
    `refused` counts further rows that no model may learn, by the rule that refused them.
    """

    card: ModelCard
    batch: Batch
    labels: Sequence[Scalar]
    served: Sequence[Answer | None]
    refused: Counter[str]

    @property
    def classes(self) -> tuple[Scalar, ...]:
        """The classes, the positive one last of two; none of a regression."""
        return self.card.classes or ((False, True) if self.card.task == "binary" else ())

    def take(self, rows: Sequence[int] | Rows) -> "Labelled":
        """Pick rows by position."""
        chosen = [int(row) for row in rows]
        return Labelled(
            self.card,
            self.batch.take(chosen),
            [self.labels[row] for row in chosen],
            [self.served[row] for row in chosen],
            self.refused,
        )

    def targets(self) -> Targets:
        """The labels (n,) as numbers: the class's place, or the value."""
        if self.card.task == "regression":
            return np.array([float(label) for label in self.labels])
        places = {label: place for place, label in enumerate(self.classes)}
        return np.array([places[label] for label in self.labels], dtype=np.int64)

    def truths(self) -> list[Scalar]:
        """The labels as figures are computed on them: of a binary task 0 and 1."""
        return list(self.targets().tolist() if self.card.task == "binary" else self.labels)


def check(table: Labelled, settings: TrainSettings) -> None:
    """Refuse what no trustworthy model can come of.

    Raises:
        NotTrainable: models of this task learn online only.
        TooManyBroken: too large a share of the rows is broken.
        TooFewRows: there are too few rows.
        TooFewOfClass: a class has too few rows.
    """
    size, broken = len(table.labels), table.refused.total()
    if table.card.task in {"anomaly", "forecast"}:
        raise NotTrainable(table.card.name, table.card.task)
    if broken > settings.broken * (size + broken):
        raise TooManyBroken(broken, size + broken, dict(table.refused.most_common()))
    if size < settings.fewest:
        raise TooFewRows(size, settings.fewest)
    _check_classes(table, settings.fewest_of_class)


def split(table: Labelled, settings: TrainSettings) -> tuple[Labelled, Labelled]:
    """The older rows, and the newest share that is held back; both have every class.

    Raises:
        TooFewOfClass: a class is missing in one of the two.
    """
    size = len(table.labels)
    border = size - max(1, round(size * settings.held_back))
    older, newest = table.take(range(border)), table.take(range(border, size))
    for part in (older, newest):
        _check_classes(part, FEWEST_TAUGHT)
    return older, newest


def folds(table: Labelled, count: int) -> list[tuple[Rows, Rows]]:
    """Positions to fit on and to score on, later ones each time.

    Left out are folds that would teach a class by too few rows, or be scored on one class alone.

    Raises:
        NoFold: all of them are.
    """
    targets, known = table.targets(), len(table.classes)
    found = [
        (fitted, scored)
        for fitted, scored in TimeSeriesSplit(count).split(targets)
        if _teaches(targets[fitted], known) and len(np.unique(targets[scored])) > 1
    ]
    if not found:
        raise NoFold(count)
    return found


def _teaches(targets: Targets, classes: int) -> bool:
    """Whether every class has enough rows among places (n,); values always do."""
    if not classes:
        return True
    return int(np.bincount(targets.astype(int), minlength=classes).min()) >= FEWEST_TAUGHT


def _check_classes(table: Labelled, fewest: int) -> None:
    counts = Counter(table.labels)
    for label in table.classes:
        if counts[label] < fewest:
            raise TooFewOfClass(label, counts[label], fewest)
