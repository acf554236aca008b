"""What makes a row suspicious though it is valid: numbers far from all others, or an absurd loss.

A suspicion is no proof. Its rows may be refused for a while (`processors/guard/budgets.py`) and
released by hand; what is always wrong is in `processors/guard/hard_rules.py`.
"""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np

from modstream.broker.wire.feedback_codec import Saying, Told
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, Scalar
from modstream.processors.guard.robust_stats import RobustWindow, Values
from modstream.processors.learn.settings import GuardSettings

Fault = tuple[str, str]
"""A rule's stable name, and the particulars."""
LEAST_PROBABILITY = 1e-300


class Outliers:
    """Rows with a number that lies too many robust deviations from the median of recent rows."""

    def __init__(self, card: ModelCard, settings: GuardSettings) -> None:
        features = card.input_schema.features
        self._names = [feature.name for feature in features if feature.kind in {"float", "int"}]
        # To a detector of anomalies outliers are what it is to know.
        self._most = 0.0 if card.task == "anomaly" else settings.outlier
        self._window = RobustWindow(settings.window, len(self._names), settings.fewest)

    def suspects(self, batch: Batch) -> dict[int, Fault]:
        """The suspicious rows of a batch by index, each with its farthest number."""
        if not self._most or not self._names:
            return {}
        values = self._values(batch)
        distances = self._window.distances(values)
        farthest = distances.argmax(axis=1)
        found: dict[int, Fault] = {}
        for row in np.flatnonzero(distances.max(axis=1) > self._most).tolist():
            column = farthest[row]
            far = f"{distances[row, column]:.3g} robust deviations from the median"
            found[row] = ("outlier", f"{self._names[column]} is {values[row, column]:g}, {far}")
        return found

    def add(self, batch: Batch) -> None:
        """Count rows that were accepted among the recent ones."""
        if self._names:
            self._window.add(self._values(batch))

    def _values(self, batch: Batch) -> Values:
        return np.column_stack([batch.columns[name] for name in self._names]).astype(np.float64)


class LossBound:
    """Rows whose label the version that answered them held to be all but impossible."""

    def __init__(self, card: ModelCard, settings: GuardSettings) -> None:
        self._card = card
        self._most = settings.loss
        self._errors = RobustWindow(settings.window, 1, settings.fewest)

    def suspects(self, rows: Sequence[Told], labels: Sequence[Scalar]) -> dict[int, Fault]:
        """The suspicious rows by index; labels are in the card's own words."""
        if not self._most:
            return {}
        answers = [served(self._card.name, row.predictions) for row in rows]
        if self._card.task == "regression":
            return self._far(answers, labels)
        pairs = zip(answers, labels, strict=True)
        losses = {index: surprise(self._card, *pair) for index, pair in enumerate(pairs)}
        return {
            index: ("loss", f"a loss of {loss:.1f} nats under the version that answered")
            for index, loss in losses.items()
            if loss > self._most
        }

    def _far(
        self, answers: Sequence[Mapping[str, object]], labels: Sequence[Scalar]
    ) -> dict[int, Fault]:
        """The errors of a regression that lie far from the bulk of its recent ones."""
        known = {
            index: value - float(labels[index])
            for index, answer in enumerate(answers)
            if isinstance(value := answer.get("value"), int | float)
        }
        places = list(known)
        errors = np.array(list(known.values()), dtype=np.float64).reshape(-1, 1)
        finite = np.isfinite(errors[:, 0])
        distances = self._errors.distances(np.where(finite[:, None], errors, 0.0))[:, 0]
        far = finite & (distances > self._most)
        self._errors.add(errors[finite])
        return {
            places[at]: (
                "loss",
                f"an error of {errors[at, 0]:g}, {distances[at]:.3g} robust deviations off",
            )
            for at in np.flatnonzero(far).tolist()
        }


def served(model: str, predictions: Sequence[Saying]) -> Mapping[str, object]:
    """What this model answered; if it did not, what the first model of the route did."""
    own = next((scored for scored in predictions if scored.model == model), None)
    if own is not None:
        return own.outputs
    return predictions[0].outputs if predictions else {}


def surprise(card: ModelCard, answer: Mapping[str, object], label: Scalar) -> float:
    """The negative log-likelihood of a label, in nats; 0 where the answer does not tell it."""
    found = answer.get("probability")
    if found is None:
        classes = answer.get("probabilities")
        found = classes.get(str(label)) if isinstance(classes, Mapping) else None
    elif label != (card.classes[1] if len(card.classes) > 1 else True):
        found = 1.0 - found if isinstance(found, int | float) else None
    if not isinstance(found, int | float) or not 0 <= found <= 1:
        return 0.0
    return -log(max(found, LEAST_PROBABILITY))
