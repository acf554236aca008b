"""A synthetic stream of labelled rows made from a seed, and small candidates that learn it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from river import linear_model, optim

from bench.simulation import SimulatedEvent
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.gate import PromotionGate
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_history import MINUTE_MS


@dataclass(frozen=True, slots=True)
class LabelFlip:
    """Flips every label from number `start` up to, not including, number `stop`."""

    start: int
    stop: int

    def __call__(self, number: int, label: bool) -> bool:  # noqa: FBT001 - a label
        """Return the label that learners see."""
        return label != (self.start <= number < self.stop)


def synthetic_events(
    seed: int, labels: int, drift_at: int | None = None
) -> Iterator[SimulatedEvent]:
    """Yield requests, each with its label, one a minute.

    A label follows x + y with noise; from number `drift_at` on it follows x - y.
    """
    rng = np.random.default_rng(seed)
    for number, (x, y) in enumerate(rng.normal(size=(labels, 2)).tolist()):
        sign = 1 if drift_at is None or number < drift_at else -1
        label = bool(rng.random() < 1 / (1 + np.exp(-2 * (x + sign * y))))
        time, features = number * MINUTE_MS, {"x": x, "y": y}
        yield SimulatedEvent(False, time, features, label)
        yield SimulatedEvent(True, time, features, label, time)


def labels_only(events: Iterable[SimulatedEvent]) -> list[SimulatedEvent]:
    """Return the labels among events."""
    return [event for event in events if event.is_label]


def feedback_messages(events: Iterable[SimulatedEvent]) -> list[Feedback]:
    """Return feedback for the labels among events, without predictions; ids count from 0."""
    return [
        Feedback(
            id=str(number),
            label=event.label,
            features=event.features,
            predictions=(),
            event_time=event.time,
            label_time=event.time,
        )
        for number, event in enumerate(labels_only(events))
    ]


def feedback_records(events: Iterable[SimulatedEvent]) -> list[Record]:
    """Return the feedback records of the labels among events, at offsets from 0."""
    return [
        Record("s.feedback", 0, offset, b"k", encode(message))
        for offset, message in enumerate(feedback_messages(events))
    ]


def small_candidates(settings: GateSettings, *rates: float) -> ChampionChallenger:
    """Return logistic regressions on x and y, one for each learning rate; the first serves."""
    learners = {f"rate-{rate:g}": small_learner(rate) for rate in rates}
    return ChampionChallenger(learners, PromotionGate(next(iter(learners)), settings))


def small_learner(rate: float) -> Learner:
    """Return an untrained logistic regression on x and y."""
    model = linear_model.LogisticRegression(optimizer=optim.SGD(rate))
    card = ModelCard(
        name="m",
        version=1,
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=InputSchema.of_floats(["x", "y"]),
        sha256="0" * 64,
        size=0,
        created=datetime.now(UTC),
    )
    return Learner(card, RiverRuntime(model, card), Topics("s"))
