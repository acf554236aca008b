"""Soft rules: valid rows that are nevertheless unlikely, by an outlier or by an extreme loss.

An unlikely row may still be correct. Soft rules may therefore reject only a limited share of the
rows (`processors/guard/budgets.py`), and an operator can release a rejected row. What is always
invalid is in `processors/guard/hard_rules.py`.
"""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np

from modstream.broker.wire.feedback_codec import AnyFeedback, AnyJoinedPrediction
from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.card import ModelCard
from modstream.models.schema.class_labels import ClassLabels, finite_number
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch
from modstream.processors.guard.hard_rules import Reason
from modstream.processors.guard.robust_stats import RobustWindow
from modstream.processors.guard.settings import GuardSettings

MIN_PROBABILITY = 1e-300


class OutlierRule:
    """Finds rows with a number too many robust deviations from the median of recent rows."""

    def __init__(self, card: ModelCard, settings: GuardSettings) -> None:
        features = card.input_schema.features
        self._names = [feature.name for feature in features if feature.kind in {"float", "int"}]
        # An anomaly detector must see outliers, so the rule is off for it.
        self._max_deviations = 0.0 if card.task == "anomaly" else settings.outlier_deviations
        self._window = RobustWindow(settings.window, len(self._names), settings.min_rows)

    def check(self, batch: Batch) -> dict[int, Reason]:
        """Return the outliers of a batch by row index, each with its farthest feature."""
        if not self._max_deviations or not self._names:
            return {}
        values = self._values(batch)
        distances = self._window.distances(values)
        farthest = distances.argmax(axis=1)
        outliers: dict[int, Reason] = {}
        for row in np.flatnonzero(distances.max(axis=1) > self._max_deviations).tolist():
            column = farthest[row]
            distance = f"{distances[row, column]:.3g} robust deviations from the median"
            name, value = self._names[column], values[row, column]
            outliers[row] = ("outlier", f"{name} is {value:g}, {distance}")
        return outliers

    def add(self, batch: Batch) -> None:
        """Add accepted rows to the window of recent rows."""
        if self._names:
            self._window.add(self._values(batch))

    def _values(self, batch: Batch) -> FloatArray:
        return np.column_stack([batch.columns[name] for name in self._names]).astype(np.float64)


class LossRule:
    """Finds rows whose label was all but impossible under the version that predicted it."""

    def __init__(
        self, card: ModelCard, settings: GuardSettings, versions: VersionClasses | None = None
    ) -> None:
        self._card = card
        self._versions = versions or VersionClasses()
        self._classes = ClassLabels.of(card.task, card.classes)
        self._max_loss = settings.max_loss
        self._errors = RobustWindow(settings.window, 1, settings.min_rows)

    def check(self, rows: Sequence[AnyFeedback], labels: Sequence[Scalar]) -> dict[int, Reason]:
        """Return the rows with too great a loss, by index; `labels` are classes of the card."""
        if not self._max_loss:
            return {}
        outputs = [self._served_outputs(row.predictions) for row in rows]
        if self._card.task == "regression":
            return self._check_regression(outputs, labels)
        losses = (
            negative_log_likelihood(self._classes, output, label)
            for output, label in zip(outputs, labels, strict=True)
        )
        return {
            index: ("loss", f"a loss of {loss:.1f} nats under the version that predicted it")
            for index, loss in enumerate(losses)
            if loss > self._max_loss
        }

    def _served_outputs(self, predictions: Sequence[AnyJoinedPrediction]) -> Mapping[str, object]:
        """Return this model's outputs, or those of the route's first model if it did not predict.

        Outputs of another model are left out unless its classes are known to be the same.
        """
        own = next((one for one in predictions if one.model == self._card.name), None)
        if own is not None:
            return own.outputs
        if not predictions:
            return {}
        first = predictions[0]
        other = self._versions.get(first.model, first.version)
        is_alike = other is not None and other.classes.agrees_with(self._classes)
        return first.outputs if is_alike else {}

    def _check_regression(
        self, outputs: Sequence[Mapping[str, object]], labels: Sequence[Scalar]
    ) -> dict[int, Reason]:
        """Return the rows whose error is far from the median of recent errors."""
        errors_by_row = {
            index: value - label
            for index, output in enumerate(outputs)
            if (value := finite_number(output.get("value"))) is not None
            and (label := finite_number(labels[index])) is not None
        }
        rows = list(errors_by_row)
        errors = np.array(list(errors_by_row.values()), dtype=np.float64).reshape(-1, 1)
        finite = np.isfinite(errors[:, 0])
        distances = self._errors.distances(np.where(finite[:, None], errors, 0.0))[:, 0]
        far = finite & (distances > self._max_loss)
        self._errors.add(errors[finite])
        return {
            rows[at]: (
                "loss",
                f"an error of {errors[at, 0]:g}, {distances[at]:.3g} robust deviations off",
            )
            for at in np.flatnonzero(far).tolist()
        }


def negative_log_likelihood(
    classes: ClassLabels, outputs: Mapping[str, object], label: Scalar
) -> float:
    """Return the negative log-likelihood of a label, in nats; 0 if the outputs do not give it."""
    index = classes.index_of(label)
    if index is None:
        return 0.0
    positive, by_class = finite_number(outputs.get("probability")), outputs.get("probabilities")
    if positive is not None:
        likelihood: float | None = positive if index == 1 else 1.0 - positive
    elif isinstance(by_class, Mapping):
        likelihood = finite_number(by_class.get(classes.names[index]))
    else:
        return 0.0
    if likelihood is None or not 0 <= likelihood <= 1:
        return 0.0
    return -log(max(likelihood, MIN_PROBABILITY))
