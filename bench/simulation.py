"""Simulation of candidates and their gate on past data, in one process, without broker or registry.

Predictions are made and labels learned in the order of event time, by the same classes that the
learner service runs. A simulation takes minutes where the stream took months.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple, cast

import numpy as np

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback
from modstream.broker.wire.records import Record
from modstream.models.evaluation.metrics import auc
from modstream.models.registry.refs import LAST_GOOD
from modstream.models.runtimes.runtime import Runtime
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.state_rollback import FrozenModel

MICRO_BATCH = 50
"""Number of labels between two versions."""
SERVED = "served"
"""The name of the scores of whichever candidate was champion."""


class SimulatedEvent(NamedTuple):
    """A request, or, with `is_label`, the label of one; times in ms since the epoch."""

    is_label: bool
    time: int
    features: dict[str, str | float]
    label: bool
    request_time: int = 0


class SimulatedDecision(NamedTuple):
    """A decision of the gate, its time (ms), and the number of labels before it."""

    label_count: int
    time: int
    decision: Decision


@dataclass
class GateSimulation:
    """Candidates that predict and learn simulated events.

    A new version serves after each `MICRO_BATCH` labels.

    Attributes:
        candidates: the candidates and their gate.
        observed_label: returns the label that the learners see, from its number and the true label.
        label_count: number of labels so far.
        labels: the true labels of the requests that were scored.
        times: the times of these requests, ms.
        scores: each candidate's scores of these requests, and the champion's as `SERVED`.
        decisions: the gate's decisions.
        alarm_labels: the number of labels at each alarm, whether or not it led to a rollback.
        rejected: number of rows that the guard rejected.
    """

    candidates: ChampionChallenger
    observed_label: Callable[[int, bool], bool] = lambda _number, label: label
    label_count: int = 0
    labels: list[float] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)
    decisions: list[SimulatedDecision] = field(default_factory=list)
    alarm_labels: list[int] = field(default_factory=list)
    rejected: int = 0
    _now: int = 0
    _requests: list[SimulatedEvent] = field(default_factory=list)
    _records: list[Record] = field(default_factory=list)
    _next_version: Iterator[int] = field(default_factory=lambda: count(100))

    def run(self, events: Iterable[SimulatedEvent], scored_from: int = 0) -> "GateSimulation":
        """Process all events; requests before `scored_from` (ms) are not scored."""
        for event in events:
            self._now = event.time
            if event.is_label:
                self._add_label(event)
            elif event.time >= scored_from:
                self._requests.append(event)
        self._process_batch()
        return self

    def auc(self, name: str, start: int = 0, stop: int | None = None) -> float:
        """Return the AUC of one candidate's scores over a slice of the scored requests."""
        part = slice(start, stop)
        return auc(np.array(self.labels)[part], np.array(self.scores[name])[part])

    def _add_label(self, event: SimulatedEvent) -> None:
        feedback = Feedback(
            id=str(self.label_count),
            label=self.observed_label(self.label_count, event.label),
            features=event.features,
            predictions=(),
            event_time=event.request_time,
            label_time=event.time,
        )
        self._records.append(Record("s.feedback", 0, self.label_count, b"", encode(feedback)))
        self.label_count += 1
        if self.label_count % MICRO_BATCH == 0:
            self._process_batch()

    def _process_batch(self) -> None:
        """Predict for the waiting requests, learn the waiting labels, and publish a version."""
        candidates = self.candidates
        if self._requests:
            self._predict()
        alarms = candidates.gate.alarms
        self.rejected += len(candidates.learn(self._records))
        self.alarm_labels += [self.label_count] * (candidates.gate.alarms - alarms)
        for learner in candidates.learners.values():
            version = {"version": next(self._next_version)}
            learner.set_published(learner.card.model_copy(update=version))
        candidates.checkpoint()
        candidates.update_last_good()
        self.decisions += [
            SimulatedDecision(self.label_count, self._now, one) for one in candidates.decisions
        ]
        candidates.decisions.clear()
        self._records.clear()

    def _predict(self) -> None:
        candidates = self.candidates
        schema = candidates.lead.card.input_schema
        batch = schema.parse_rows([event.features for event in self._requests]).batch
        models: dict[str, Learner | FrozenModel] = {**candidates.learners, **candidates.frozen}
        scores = {
            name: cast(Runtime, one.runtime).predict(batch).tolist() for name, one in models.items()
        }
        scores[SERVED] = scores[candidates.gate.champion]
        scores.pop(LAST_GOOD, None)
        self.labels += [float(event.label) for event in self._requests]
        self.times += [event.time for event in self._requests]
        for name, values in scores.items():
            self.scores.setdefault(name, []).extend(values)
        self._requests.clear()
