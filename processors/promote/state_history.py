"""Earlier states of a learner, so that it is compared by what it could have predicted in time."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from modstream.models.errors import ArtifactTooLarge
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.input_schema import Batch
from modstream.processors.learn.atomic_update import AnyLearningRuntime
from modstream.processors.promote.losses import predict_or_none

MINUTE_MS = 60_000


@dataclass(slots=True)
class StateHistory:
    """States of one learner by event time (ms), at least `interval_ms` apart, at most `max_states`.

    Each state costs its memory and one copy of the model.
    """

    interval_ms: int = 10 * MINUTE_MS
    max_states: int = 144
    _states: deque[tuple[int, AnyLearningRuntime]] = field(default_factory=deque)

    def record(self, time: int, runtime: AnyLearningRuntime) -> None:
        """Record the state that has learned all labels up to `time`, if the interval has passed."""
        if not self._states or time >= self._states[-1][0] + self.interval_ms:
            self._states.append((time, frozen_copy(runtime)))
            if len(self._states) > self.max_states:
                self._states.popleft()

    def at(self, time: int) -> AnyLearningRuntime:
        """Return the newest state that had learned nothing after `time`, else the oldest state."""
        oldest = self._states[0][1]
        for recorded, runtime in reversed(self._states):
            if recorded <= time:
                return runtime
        return oldest

    def truncate(self, time: int) -> None:
        """Delete the states that had learned anything after `time`, except for the oldest state."""
        while len(self._states) > 1 and self._states[-1][0] > time:
            self._states.pop()

    def predict(self, batch: Batch, times: Sequence[int]) -> Outputs | None:
        """Return what the learner would have predicted for each row at its time (ms).

        None is returned if a state fails on its rows.
        """
        by_state: dict[int, tuple[AnyLearningRuntime, list[int]]] = {}
        for row, time in enumerate(times):
            state = self.at(time)
            by_state.setdefault(id(state), (state, []))[1].append(row)
        parts = [predict_or_none(state, batch.take(rows)) for state, rows in by_state.values()]
        order = np.argsort(np.concatenate([rows for _, rows in by_state.values()]))
        outputs = [part for part in parts if part is not None]
        return np.concatenate(outputs)[order] if len(outputs) == len(parts) else None


def frozen_copy(runtime: AnyLearningRuntime) -> AnyLearningRuntime:
    """Return a copy of a learner's state that does not change while the learner goes on.

    A learner that has grown too large to be copied learns no more, so it is returned itself.
    """
    try:
        return runtime.copy()
    except ArtifactTooLarge:
        return runtime
