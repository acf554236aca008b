"""A family on a stream of the past, in this process: no broker, no registry, minutes not hours.

Requests are answered and labels learned in the order of event time, by the very classes that the
learner's process runs.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback
from modstream.broker.wire.records import Record
from modstream.models.evaluation.metrics import auc
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.champion_challenger import Family
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.state_rollback import Still

TURN = 50


class Row(NamedTuple):
    """Something that happens to one id: a request, or, with `is_label`, its label; times in ms."""

    is_label: bool
    at: int
    features: dict[str, str | float]
    truth: bool
    asked_at: int = 0


@dataclass
class Rehearsal:
    """A family that answers and learns; `told` makes of a label what the learner is told of it.

    A version serves as soon as `TURN` labels more have been learned. `truths` are those of the
    requests that were scored and `times` theirs (ms), `said` the answers of the members and, under
    "served", of the champion of the moment. `decided` are decisions by labels seen and `moments`
    their times (ms), `alarmed` the labels seen at each alarm, whether or not there was a good
    version to go back to.
    """

    family: Family
    told: Callable[[int, bool], bool] = lambda _number, truth: truth
    labels: int = 0
    truths: list[float] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    said: dict[str, list[float]] = field(default_factory=dict)
    decided: list[tuple[int, Decision]] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    alarmed: list[int] = field(default_factory=list)
    refused: int = 0
    _now: int = 0
    _asked: list[Row] = field(default_factory=list)
    _records: list[Record] = field(default_factory=list)
    _versions: Iterator[int] = field(default_factory=lambda: count(100))

    def run(self, rows: Iterable[Row], scored_from: int = 0) -> "Rehearsal":
        """Let everything happen; requests before `scored_from` (ms) are not scored."""
        for row in rows:
            self._now = row.at
            if row.is_label:
                self._learn(row)
            elif row.at >= scored_from:
                self._asked.append(row)
        self._turn()
        return self

    def auc(self, who: str, start: int = 0, stop: int | None = None) -> float:
        """AUC of one member's answers, or of those served, over some of the scored requests."""
        part = slice(start, stop)
        return auc(np.array(self.truths)[part], np.array(self.said[who])[part])

    def _learn(self, row: Row) -> None:
        feedback = Feedback(
            id=str(self.labels),
            label=self.told(self.labels, row.truth),
            features=row.features,
            predictions=(),
            event_time=row.asked_at,
            label_time=row.at,
        )
        self._records.append(Record("s.feedback", 0, self.labels, b"", encode(feedback)))
        self.labels += 1
        if self.labels % TURN == 0:
            self._turn()

    def _turn(self) -> None:
        """Answer what was asked since the last turn, learn what has landed, publish."""
        family = self.family
        if self._asked:
            self._answer()
        before = family.gate.alarms
        self.refused += len(list(family.absorb(self._records)))
        self.alarmed += [self.labels] * (family.gate.alarms - before)
        for learner in family.learners.values():
            learner.card = learner.card.model_copy(update={"version": next(self._versions)})
        family.take_aside()
        family.settle()
        self.decided += [(self.labels, decision) for decision in family.decisions]
        self.moments += [self._now] * len(family.decisions)
        family.decisions.clear()
        self._records.clear()

    def _answer(self) -> None:
        batch = self.family.pacer.card.input_schema.batch([row.features for row in self._asked])
        members: dict[str, Learner | Still] = {**self.family.learners, **self.family.stills}
        told = {name: one.runtime.predict(batch.batch).tolist() for name, one in members.items()}
        told["served"] = told[self.family.gate.champion]
        self.truths += [float(row.truth) for row in self._asked]
        self.times += [row.at for row in self._asked]
        for name, values in told.items():
            if name != "good":
                self.said.setdefault(name, []).extend(values)
        self._asked.clear()
