"""What a learner knew at an earlier moment, so that it is judged by what it could have answered."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from modstream.models.errors import ArtifactTooLarge
from modstream.models.runtimes.runtime import LearningRuntime, Outputs
from modstream.models.schema.input_schema import Batch
from modstream.processors.promote.losses import answers

MINUTE_MS = 60_000


@dataclass(slots=True)
class Past:
    """States of one learner by event time (ms), `every` so often, as many as `kept`.

    Each costs its memory, and a copy as often as one is kept.
    """

    every: int = 10 * MINUTE_MS
    kept: int = 144
    _states: deque[tuple[int, LearningRuntime]] = field(default_factory=deque)

    def keep(self, time: int, runtime: LearningRuntime) -> None:
        """Keep the state that had learned all labels up to `time`, unless the last one will do."""
        if not self._states or time >= self._states[-1][0] + self.every:
            self._states.append((time, frozen(runtime)))
            if len(self._states) > self.kept:
                self._states.popleft()

    def at(self, time: int) -> LearningRuntime:
        """The newest state that had learned nothing after `time`; else the oldest that is kept."""
        found = self._states[0][1]
        for known, runtime in reversed(self._states):
            if known <= time:
                return runtime
        return found

    def forget(self, time: int) -> None:
        """Give up what had learned anything after `time`, but for the oldest state."""
        while len(self._states) > 1 and self._states[-1][0] > time:
            self._states.pop()

    def answers(self, batch: Batch, times: Sequence[int]) -> Outputs | None:
        """What it would have said of each row at its time; None where it fails."""
        by_state: dict[int, tuple[LearningRuntime, list[int]]] = {}
        for row, time in enumerate(times):
            state = self.at(time)
            by_state.setdefault(id(state), (state, []))[1].append(row)
        parts = [answers(state, batch.take(rows)) for state, rows in by_state.values()]
        order = np.argsort(np.concatenate([rows for _, rows in by_state.values()]))
        said = [part for part in parts if part is not None]
        return np.concatenate(said)[order] if len(said) == len(parts) else None


def frozen(runtime: LearningRuntime) -> LearningRuntime:
    """A state that stays as it is while the learner goes on."""
    try:
        return runtime.copy()
    except ArtifactTooLarge:
        return runtime  # A learner that has grown too large to be copied learns no more.
