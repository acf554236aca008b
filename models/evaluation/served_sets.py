"""Conformal sets and intervals in answers: made from a row's outputs, and compared with labels.

A row's outputs by name get one more, `conformal`, with the `set` or the `interval`, the `coverage`
that is aimed at, and the number of `labels` that the threshold is made of.

| task | member | value |
|---|---|---|
| binary, multiclass | `set` | the classes, in the order of the model; it may be empty |
| regression | `interval` | `[low, high]`; null is no bound; `[]` has no value |
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from msgspec import Struct

from modstream.models.evaluation.monitoring.conformal import prediction_interval, prediction_set
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.schema.card import OUTPUT_NAMES, Task
from modstream.models.schema.class_labels import finite_number

OUTPUT_NAME = "conformal"
"""The name of the output."""
TASKS: frozenset[Task] = frozenset({"binary", "multiclass", "regression"})
"""The tasks whose answers can have a set or an interval."""


class ServedThreshold(Struct, frozen=True, gc=False):
    """The threshold that answers of a model are made with, from its labels so far.

    Attributes:
        task: the task of the model's versions that the threshold applies to.
        coverage: the share of labels inside their set that is aimed at.
        labels: how many labels the threshold is made of; it identifies the state.
        value: the largest score of a label inside; infinite for all labels, or none.
    """

    task: Task
    coverage: float
    labels: int
    value: float


ServedThresholds = Mapping[str, ServedThreshold]
"""The threshold of each model that has one, by its name."""


def make_output(
    version: VersionLabels, outputs: Mapping[str, Any], threshold: ServedThreshold
) -> dict[str, Any] | None:
    """Return the output `conformal` of one row, or None if its outputs are not those of the task.

    Args:
        version: the task and classes of the version that predicted.
        outputs: the outputs of the row by name.
        threshold: the threshold of the model.
    """
    said = {"coverage": threshold.coverage, "labels": threshold.labels}
    if version.task == "regression":
        value = finite_number(outputs.get(OUTPUT_NAMES["regression"]))
        if value is None:
            return None
        return {"interval": interval(value, threshold.value), **said}
    probabilities = class_probabilities(version, outputs)
    if probabilities is None:
        return None
    members = prediction_set(probabilities, threshold.value)
    return {"set": [version.classes.label_of(index) for index in members], **said}


def interval(value: float, threshold: float) -> list[float | None]:
    """Return the ends of an interval as JSON has them."""
    if threshold < 0:
        return []
    return [end if isfinite(end) else None for end in prediction_interval(value, threshold)]


def class_probabilities(
    version: VersionLabels, outputs: Mapping[str, Any]
) -> tuple[float, ...] | None:
    """Return the probability of each class, or None if the outputs do not have all of them."""
    if version.task == "binary":
        positive = finite_number(outputs.get(OUTPUT_NAMES["binary"]))
        return None if positive is None else (1 - positive, positive)
    by_class = outputs.get(OUTPUT_NAMES["multiclass"])
    if not isinstance(by_class, Mapping):
        return None
    found = [finite_number(by_class.get(name)) for name in version.classes.names]
    known = tuple(one for one in found if one is not None)
    return known if known and len(known) == len(found) else None


def label_score(version: VersionLabels, label: object, outputs: Mapping[str, Any]) -> float | None:
    """Return how badly a label fits the outputs of its row, or None if that is undefined.

    It is 1 minus the probability of the label, or the absolute error of a regression.
    """
    if version.task == "regression":
        value = finite_number(outputs.get(OUTPUT_NAMES["regression"]))
        number = finite_number(label)
        return None if value is None or number is None else abs(value - number)
    if version.task not in TASKS:
        return None
    probabilities, index = class_probabilities(version, outputs), version.classes.index_of(label)
    if probabilities is None or index is None or index >= len(probabilities):
        return None
    return 1 - probabilities[index]


def made_of(served: object) -> int:
    """Return the number of labels that the set or interval of an answer was made of."""
    labels = served.get("labels") if isinstance(served, Mapping) else None
    return labels if isinstance(labels, int) else 0


def is_inside(
    version: VersionLabels, label: object, served: object, coverage: float
) -> bool | None:
    """Return whether the set or interval of an answer has the label.

    Args:
        version: the task and classes of the version that predicted.
        label: the label.
        served: the output `conformal` of the answer.
        coverage: the coverage that is aimed at now.

    Returns:
        None if the answer had neither, or aimed at another coverage.
    """
    if not isinstance(served, Mapping) or served.get("coverage") != coverage:
        return None
    ends, members = served.get("interval"), served.get("set")
    if version.task == "regression" and isinstance(ends, Sequence):
        return _is_between(finite_number(label), ends)
    index = version.classes.index_of(label)
    if index is None or isinstance(members, str) or not isinstance(members, Sequence):
        return None
    return any(version.classes.index_of(one) == index for one in members)


def _is_between(number: float | None, ends: Sequence[object]) -> bool | None:
    if number is None or len(ends) not in {0, 2}:
        return None
    if not ends:
        return False
    low, high = map(finite_number, ends)
    return (low is None or low <= number) and (high is None or number <= high)
