"""What a family knew before labels began to contradict it, kept until it is clear who was right."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from modstream.models.evaluation.metrics import auc
from modstream.models.runtimes.runtime import LearningRuntime, Runtime
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, Scalar
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.label_flip import Turn
from modstream.processors.promote.losses import Floats, answers, positives
from modstream.processors.promote.state_history import Past, frozen

ASIDE, EVERY = 3, 250
"""So many versions that served are taken aside, so many labels apart."""
CHUNKS = 200
"""Of so many chunks it is known when they were learned, and what both states said of them."""

LATEST = 200
"""Labels to compare two states by: those before may have come before labels agreed again."""


class Still(NamedTuple):
    """A version that does not learn: a batch model, or one that was good."""

    card: ModelCard
    runtime: Runtime


class Sound(NamedTuple):
    """What each learner knew at `time` (ms), before labels looked turned round."""

    time: int
    states: Mapping[str, LearningRuntime]


class Compared(NamedTuple):
    """Labels as 0 and 1, (n,); of each learner what its state from before and it say, (2, n)."""

    truths: Floats
    said: Mapping[str, Floats]


@dataclass(slots=True)
class Recall:
    """Versions and states from shortly before now; counts are of labels tested.

    A learner's state is given up for the one from before the contradiction if its AUC on the
    labels that agree again is lower by `spoilt`.
    """

    spoilt: float
    _times: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=CHUNKS))
    _aside: deque[tuple[int, Still]] = field(default_factory=lambda: deque(maxlen=ASIDE))
    _sound: Sound | None = None
    _compared: deque[Compared] = field(default_factory=lambda: deque(maxlen=CHUNKS))
    _spoilt: list[str] = field(default_factory=list)

    def note(self, count: int, time: int) -> None:
        """The event time (ms) of what had been learned when so many labels had been tested."""
        self._times.append((count, time))

    def take_aside(self, count: int, served: Learner) -> Still | None:
        """Keep a version that serves, unless one has just been kept."""
        if self._aside and count < self._aside[-1][0] + EVERY:
            return None
        still = Still(served.card, frozen(served.runtime))
        self._aside.append((count, still))
        return still

    def before(self, count: int) -> Still | None:
        """The newest version that was taken aside by then, else the oldest that there is."""
        found = (still for known, still in reversed(self._aside) if known <= count)
        return next(found, self._aside[0][1] if self._aside else None)

    def hold(self, count: int, pasts: Mapping[str, Past]) -> None:
        """Keep what learners knew when so many labels had been tested."""
        time = next((at for known, at in reversed(self._times) if known <= count), 0)
        self._sound = Sound(time, {name: past.at(time) for name, past in pasts.items()})
        self._compared.clear()

    def drop(self) -> None:
        """Labels count as they were told: nothing is given up."""
        self._sound = None

    def compare(
        self, learners: Mapping[str, Learner], batch: Batch, labels: Sequence[Scalar]
    ) -> None:
        """Ask both states of each learner about labels that none has learned yet."""
        if self._sound is None:
            return
        said = {
            name: np.array([scores(state, batch), scores(learners[name].runtime, batch)])
            for name, state in self._sound.states.items()
        }
        card = next(iter(learners.values())).card
        self._compared.append(Compared(positives(card, labels), said))

    def judge(self, turn: Turn) -> None:
        """Hold both states of each learner against the newest labels, which agree again."""
        if self._sound is None or not self._compared:
            return
        newest = slice(-min(turn.since, LATEST), None)
        truths = np.concatenate([one.truths for one in self._compared])[newest]
        for name in self._sound.states:
            said = np.concatenate([one.said[name] for one in self._compared], axis=1)[:, newest]
            before, after = (auc(truths, one) for one in said)
            if before - after > self.spoilt:
                self._spoilt.append(name)

    def restored(self) -> Iterator[tuple[str, int, LearningRuntime]]:
        """The learners that are to go on from an earlier state, its time (ms), and that state."""
        if self._sound is not None and self._spoilt:
            for name in self._spoilt:
                yield name, self._sound.time, self._sound.states[name].copy()
            self._sound = None
        self._spoilt = []


def scores(runtime: Runtime, batch: Batch) -> Floats:
    """What a model says of the rows of a binary task, (n,); one half where it fails."""
    said = answers(runtime, batch)
    return np.full(batch.size, 0.5) if said is None else np.nan_to_num(said, nan=0.5)
