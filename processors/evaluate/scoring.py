"""What is scored of one prediction and its label, by the version's own task and classes. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from modstream.models.evaluation.metrics import PredictedValue
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.schema.card import OUTPUT_NAMES, Task
from modstream.models.schema.class_labels import ClassLabels, finite_number
from modstream.models.schema.columns import Scalar


class ScoredPair(NamedTuple):
    """A label and a prediction as `compute_metrics` takes them for a task.

    Classes are compared by their positions: a label of `binary` and `anomaly` is 0 or 1, one of
    `multiclass` is the position as text. A model with two classes that predicts labels and no
    probabilities is scored as `multiclass`.
    """

    task: Task
    label: Scalar
    prediction: PredictedValue


def score(
    version: VersionLabels, label: object, outputs: Mapping[str, Any] | None
) -> ScoredPair | None:
    """Return what is scored of a version's outputs for one row, or None if nothing can be.

    Nothing is scored if the label is none of the version's classes, if the outputs are not those of
    its task, or if the task has no metric for a single label. A forecast has none either, since
    each of its steps has a label of its own.
    """
    if not isinstance(outputs, Mapping):
        return None
    if version.task == "regression":
        value = finite_number(outputs.get(OUTPUT_NAMES["regression"]))
        number = finite_number(label)
        return None if value is None or number is None else ScoredPair("regression", number, value)
    index = version.classes.index_of(label)
    if index is None:
        return None
    if version.task == "anomaly":
        found = finite_number(outputs.get(OUTPUT_NAMES["anomaly"]))
        return None if found is None or index > 1 else ScoredPair("anomaly", index, found)
    if version.task in {"binary", "multiclass"}:
        return _score_classes(version.classes, index, outputs)
    return None


def _score_classes(
    classes: ClassLabels, label: int, outputs: Mapping[str, Any]
) -> ScoredPair | None:
    """Score the probability of the second class, the probabilities by class, or the class alone."""
    if "probability" in outputs:
        positive = _probability(outputs["probability"])
        return None if positive is None or label > 1 else ScoredPair("binary", label, positive)
    by_class = outputs.get("probabilities")
    if isinstance(by_class, Mapping):
        known = [_probability(by_class.get(name)) for name in classes.names]
        if all(one is not None for one in known):
            scores = [one or 0.0 for one in known]
            best = max(range(len(scores)), key=scores.__getitem__)
            # The metrics need no others, and a window of a thousand classes would hold millions.
            kept = {str(best): scores[best], str(label): scores[label]}
            return ScoredPair("multiclass", str(label), kept)
        return None
    predicted = classes.index_of_output(outputs.get("label"))
    return None if predicted is None else ScoredPair("multiclass", str(label), str(predicted))


def _probability(value: object) -> float | None:
    """Return a probability, or None if the value is none."""
    number = finite_number(value)
    return number if number is not None and 0 <= number <= 1 else None
