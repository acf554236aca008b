"""Labelled rows in the order of time, the checks before training, and splits by time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import TimeSeriesSplit

from modstream.models.evaluation.metrics import PredictedValue
from modstream.models.schema.card import ModelCard
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch
from modstream.models.training.errors import (
    NotTrainable,
    NoUsableFold,
    TooFewRows,
    TooFewRowsOfClass,
    TooManyRejectedRows,
)
from modstream.models.training.settings import TrainSettings

TRAINABLE_TASKS = frozenset({"binary", "multiclass", "regression"})
"""The tasks of which a challenger can be trained offline."""
MIN_CLASS_ROWS_PER_PART = 3
"""Smallest number of rows per class in every part of the data that is fitted or tested on."""

RowIndices = npt.NDArray[np.intp]
Targets = npt.NDArray[np.int64] | npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelledDataset:
    """Labelled rows of one model, oldest first.

    `batch` has n rows, `labels` their n labels. `card` is the champion's, with the task, the
    classes and the schema. `served` has the champion's prediction of each row at serving time, or
    None. `rejected` counts, by rule, further rows that the guard rejected and `batch` lacks.
    Without `has_champion`, `card` describes the rows, but is no version in the registry.
    """

    card: ModelCard
    batch: Batch
    labels: Sequence[Scalar]
    served: Sequence[PredictedValue | None]
    rejected: Counter[str]
    has_champion: bool = True

    @property
    def classes(self) -> tuple[Scalar, ...]:
        """The classes in the order of the model's outputs; empty for a regression.

        Of two classes, the second is the positive one.
        """
        return self.class_labels.classes

    @property
    def class_labels(self) -> ClassLabels:
        """The mapping of labels to classes; without classes for a regression."""
        return ClassLabels.of(self.card.task, self.card.classes)

    def take(self, rows: Sequence[int] | RowIndices) -> "LabelledDataset":
        """Return the rows at the given positions, in that order."""
        chosen = [int(row) for row in rows]
        return LabelledDataset(
            self.card,
            self.batch.take(chosen),
            [self.labels[row] for row in chosen],
            [self.served[row] for row in chosen],
            self.rejected,
            self.has_champion,
        )

    def targets(self) -> Targets:
        """Return the labels (n,) as numbers: the index of the class, or a regression's value."""
        if self.card.task == "regression":
            return np.array([float(label) for label in self.labels])
        classes = self.class_labels
        return np.array([classes.index_of(label) for label in self.labels], dtype=np.int64)

    def metric_labels(self) -> list[Scalar]:
        """Return the labels as `compute_metrics` expects them.

        They are positions of classes, 0 and 1 for a binary task, or a regression's values.
        """
        targets: list[Scalar] = list(self.targets().tolist())
        return list(map(str, targets)) if self.card.task == "multiclass" else targets


def check_trainable(dataset: LabelledDataset, settings: TrainSettings) -> None:
    """Raise if no reliable model can be trained from the rows.

    Raises:
        NotTrainable: models of this task, or without probabilities, are not trained offline.
        TooManyRejectedRows: the guard rejected too large a share of the rows.
        TooFewRows: there are too few rows.
        TooFewRowsOfClass: a class has too few rows.
    """
    rows, rejected = len(dataset.labels), dataset.rejected.total()
    check_task(dataset.card)
    if rejected > settings.max_rejected_share * (rows + rejected):
        raise TooManyRejectedRows(rejected, rows + rejected, dict(dataset.rejected.most_common()))
    if rows < settings.min_rows:
        raise TooFewRows(rows, settings.min_rows)
    _check_class_counts(dataset, settings.min_rows_per_class)


def check_task(card: ModelCard) -> None:
    """Raise if models of this kind are not trained in batch.

    Raises:
        NotTrainable: the task has no batch training, or the classifier no probabilities.
    """
    if card.task not in TRAINABLE_TASKS:
        raise NotTrainable(card.name, card.task)
    if card.output_form != "array":
        raise NotTrainable(card.name, f"{card.task} without probabilities")


def split_by_time(
    dataset: LabelledDataset, settings: TrainSettings
) -> tuple[LabelledDataset, LabelledDataset]:
    """Return the older rows, for training, and the newest share `test_share`, for the test.

    Raises:
        TooFewRowsOfClass: a class has fewer than `MIN_CLASS_ROWS_PER_PART` rows in one of the two.
    """
    size = len(dataset.labels)
    border = size - max(1, round(size * settings.test_share))
    older, newest = dataset.take(range(border)), dataset.take(range(border, size))
    for part in (older, newest):
        _check_class_counts(part, MIN_CLASS_ROWS_PER_PART)
    return older, newest


def time_series_folds(dataset: LabelledDataset, count: int) -> list[tuple[RowIndices, RowIndices]]:
    """Return row positions to fit on and later ones to score on, for each of up to `count` folds.

    The newest half of the rows is scored in equal parts; each is scored by a model that was fitted
    on all rows before it, which is at least half of them: what is best for few rows is not best for
    all. Folds are left out if a class has fewer than `MIN_CLASS_ROWS_PER_PART` rows to fit on, or
    if all rows to score on have the same label.

    Raises:
        NoUsableFold: all folds are left out.
    """
    targets, classes = dataset.targets(), len(dataset.classes)
    splitter = TimeSeriesSplit(count, test_size=max(1, len(targets) // (2 * count)))
    usable = [
        (fitted, scored)
        for fitted, scored in splitter.split(targets)
        if has_every_class(targets[fitted], classes) and len(np.unique(targets[scored])) > 1
    ]
    if not usable:
        raise NoUsableFold(count)
    return usable


def has_every_class(targets: Targets, classes: int) -> bool:
    """Return whether each of `classes` class indices is frequent enough in targets (n,)."""
    if not classes:
        return True
    counts = np.bincount(targets.astype(int), minlength=classes)
    return int(counts.min()) >= MIN_CLASS_ROWS_PER_PART


def _check_class_counts(dataset: LabelledDataset, required: int) -> None:
    if not dataset.classes:
        return
    counts = Counter(dataset.targets().tolist())
    for index, label in enumerate(dataset.classes):
        if counts[index] < required:
            raise TooFewRowsOfClass(label, counts[index], required)
