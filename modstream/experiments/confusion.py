"""How often each class was predicted for each true class, on the rows of a test."""

from collections import Counter
from collections.abc import Mapping, Sequence

from modstream.experiments.experiment import ConfusionRecord
from modstream.models.evaluation.metrics import PredictedValue
from modstream.models.schema.card import Task
from modstream.models.schema.columns import Scalar

MAX_CLASSES = 30
"""Largest number of classes of which a table is recorded."""
HALF = 0.5


def confusions_of(
    labels: Sequence[Scalar],
    predictions: Sequence[PredictedValue],
    task: Task,
    classes: Sequence[Scalar],
    threshold: float | None,
) -> tuple[ConfusionRecord, ...]:
    """Return the tables of a classifier; none for other tasks, and for very many classes.

    Args:
        labels: the positions of the classes, as `LabelledDataset.metric_labels` returns them.
        predictions: a probability, or that of each class by its position, for each label.
        task: the task of the model.
        classes: the classes as the model names them, the second of two being the predicted one.
        threshold: a decision threshold; its table comes beside that of 0.5.
    """
    if task == "binary":
        names = tuple(map(str, classes)) or ("0", "1")
        thresholds = [HALF] if threshold in {None, HALF} else [HALF, threshold]
        return tuple(
            _binary(labels, predictions, names, one) for one in thresholds if one is not None
        )
    if task != "multiclass" or len(classes) > MAX_CLASSES:
        return ()
    names = tuple(map(str, classes))
    pairs = Counter(
        (int(label), int(_most_likely(one))) for label, one in zip(labels, predictions, strict=True)
    )
    return (ConfusionRecord(classes=names, counts=_table(pairs, len(names))),)


def _binary(
    labels: Sequence[Scalar],
    predictions: Sequence[PredictedValue],
    names: tuple[str, ...],
    threshold: float,
) -> ConfusionRecord:
    pairs = Counter(
        (int(bool(label)), int(_number(one) >= threshold))
        for label, one in zip(labels, predictions, strict=True)
    )
    return ConfusionRecord(classes=names, counts=_table(pairs, 2), threshold=threshold)


def _table(pairs: Mapping[tuple[int, int], int], size: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(pairs.get((row, at), 0) for at in range(size)) for row in range(size))


def _number(prediction: PredictedValue) -> float:
    return float(prediction) if isinstance(prediction, int | float) else 0.0


def _most_likely(prediction: PredictedValue) -> str:
    if not isinstance(prediction, Mapping):
        return str(prediction)
    return str(max(prediction, key=lambda name: float(prediction[name])))
