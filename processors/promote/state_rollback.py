"""Rollback of learners after flipped labels: keeps their states until labels are correct again."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.metrics import auc
from modstream.models.runtimes.runtime import AnyRuntime
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch
from modstream.processors.learn.atomic_update import AnyLearningRuntime
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.label_flip import FlipEvent
from modstream.processors.promote.losses import binary_labels, predict_or_none
from modstream.processors.promote.state_history import StateHistory, frozen_copy

MAX_CHECKPOINTS = 3
"""Number of served versions that are kept as checkpoints."""
CHECKPOINT_EVERY = 250
"""Minimum number of labels between two checkpoints."""
MAX_CHUNKS = 200
"""Number of recent chunks of labels whose event time and whose predictions are kept."""
MAX_COMPARED_LABELS = 200
"""Number of labels by which two states are compared; older labels may still be flipped."""


class FrozenModel(NamedTuple):
    """A version that does not learn: a batch model or a copy of a served version."""

    card: ModelCard
    runtime: AnyRuntime


def frozen_version(model: Learner | FrozenModel) -> FrozenModel:
    """Return a version as it is now; a learner's is a copy of its state."""
    if isinstance(model, FrozenModel):
        return model
    return FrozenModel(model.card, frozen_copy(model.runtime))


class SoundState(NamedTuple):
    """Each learner's state at event time `time` (ms), before labels looked flipped."""

    time: int
    states: Mapping[str, AnyLearningRuntime]


class RestoredState(NamedTuple):
    """A learner to restore, the event time (ms) of its earlier state, and that state."""

    name: str
    time: int
    state: AnyLearningRuntime


class ComparisonChunk(NamedTuple):
    """Labels as 0 and 1, (n,); the scores of each learner's sound and present state, (2, n)."""

    labels: FloatArray
    scores: Mapping[str, FloatArray]


@dataclass(slots=True)
class StateRollback:
    """Recent checkpoints, and the learners' states before flipped labels.

    A learner is restored to its sound state if the AUC of its present state, on the labels that are
    correct again, is lower by more than `max_auc_loss`. Label counts are of labels that the
    candidates were compared on.
    """

    max_auc_loss: float
    _times: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=MAX_CHUNKS))
    _checkpoints: deque[tuple[int, FrozenModel]] = field(
        default_factory=lambda: deque(maxlen=MAX_CHECKPOINTS)
    )
    _sound: SoundState | None = None
    _compared: deque[ComparisonChunk] = field(default_factory=lambda: deque(maxlen=MAX_CHUNKS))
    _to_restore: list[str] = field(default_factory=list)

    def record_time(self, label_count: int, time: int) -> None:
        """Record the event time (ms) up to which the lead had learned at a label count."""
        self._times.append((label_count, time))

    def checkpoint(self, label_count: int, champion: Learner | FrozenModel) -> FrozenModel | None:
        """Keep the champion's version; return it, or None if the last checkpoint is too recent."""
        if self._checkpoints and label_count < self._checkpoints[-1][0] + CHECKPOINT_EVERY:
            return None
        model = frozen_version(champion)
        self._checkpoints.append((label_count, model))
        return model

    def checkpoint_at(self, label_count: int) -> FrozenModel | None:
        """Return the newest checkpoint at or before a label count, else the oldest, else None."""
        earlier = (model for kept, model in reversed(self._checkpoints) if kept <= label_count)
        return next(earlier, self._checkpoints[0][1] if self._checkpoints else None)

    def pin(self, label_count: int, histories: Mapping[str, StateHistory]) -> None:
        """Keep the learners' states at a label count, the last before the flip."""
        time = next((at for kept, at in reversed(self._times) if kept <= label_count), 0)
        states = {name: history.at(time) for name, history in histories.items()}
        self._sound = SoundState(time, states)
        self._compared.clear()

    def unpin(self) -> None:
        """Drop the kept states: the labels count as correct."""
        self._sound = None

    def compare(
        self, learners: Mapping[str, Learner], batch: Batch, labels: Sequence[Scalar]
    ) -> None:
        """Score labels that no learner has learned yet by both states of each learner."""
        if self._sound is None:
            return
        scores = {
            name: np.array(
                [scores_or_half(state, batch), scores_or_half(learners[name].runtime, batch)]
            )
            for name, state in self._sound.states.items()
        }
        card = next(iter(learners.values())).card
        self._compared.append(ComparisonChunk(binary_labels(card, labels), scores))

    def decide(self, flip: FlipEvent) -> None:
        """Select the learners to restore, by the newest labels, which are correct again."""
        if self._sound is None or not self._compared:
            return
        newest = slice(-min(flip.label_count, MAX_COMPARED_LABELS), None)
        labels = np.concatenate([chunk.labels for chunk in self._compared])[newest]
        for name in self._sound.states:
            chunks = [chunk.scores[name] for chunk in self._compared]
            scores = np.concatenate(chunks, axis=1)[:, newest]
            before, after = (auc(labels, one) for one in scores)
            if before - after > self.max_auc_loss:
                self._to_restore.append(name)

    def pop_restored(self) -> list[RestoredState]:
        """Return the learners to restore, and forget them."""
        restored: list[RestoredState] = []
        if self._sound is not None and self._to_restore:
            time, states = self._sound
            restored = [RestoredState(one, time, states[one].copy()) for one in self._to_restore]
            self._sound = None
        self._to_restore = []
        return restored


def scores_or_half(runtime: AnyRuntime, batch: Batch) -> FloatArray:
    """Return a model's scores for a binary task, (n,); 0.5 where the prediction fails."""
    outputs = predict_or_none(runtime, batch)
    return np.full(batch.size, 0.5) if outputs is None else np.nan_to_num(outputs, nan=0.5)
