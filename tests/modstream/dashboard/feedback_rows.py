"""Feedback of a binary model that is worse for one carrier, while the temperature rises."""

import numpy as np

from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.models.evaluation.version_classes import VersionClasses, VersionLabels
from modstream.models.schema.class_labels import ClassLabels

START = 1_764_000_000_000
CARRIERS = ("AA", "DL", "FL", "UA")
WORST = "FL"


class KnownVersions(VersionClasses):
    """All versions of all models have the same task and classes."""

    def __init__(self, task="binary", classes=(False, True)):
        super().__init__()
        self._labels = VersionLabels(task, ClassLabels(classes))

    def get(self, model, version):
        return self._labels


def make_feedback(count, *, models=("online",), seed=1, spacing_ms=600_000):
    """Yield feedback whose probabilities are right, except for one carrier."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        carrier = CARRIERS[int(rng.integers(4))]
        truth = float(rng.beta(2, 3))
        stated = 0.9 if carrier == WORST and truth < 0.5 else truth
        at = START + number * spacing_ms
        yield Feedback(
            id=f"r-{number}",
            label=bool(rng.random() < truth),
            features={
                "carrier": carrier,
                "origin": ("EWR", "JFK", "LGA")[int(rng.integers(3))],
                "temperature": float(rng.normal(10 + 8 * number / count, 3)),
                "distance": float(rng.integers(1, 9)) * 100,
            },
            predictions=tuple(
                JoinedPrediction(
                    model=model,
                    version=11 + 3 * number // count,
                    outputs={"probability": stated},
                )
                for model in models
            ),
            event_time=at,
            label_time=at + 3_600_000,
        )
