"""A model at work: it learns a set of rows or nothing, and a good state is always at hand.

A failing `learn` leaves a model half changed. So a spare copy is kept, with the rows learned since
it was made; after a failure the spare learns those again and takes over. A copy is made as seldom
as its cost asks for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from modstream.models.errors import ArtifactTooLarge, ModelError
from modstream.models.runtimes.runtime import LearningRuntime, answered
from modstream.models.schema.card import Task
from modstream.models.schema.input_schema import Batch, Scalar
from modstream.processors.learn.settings import LearnSettings

Rows = tuple[Batch, Sequence[Scalar]]


@dataclass(slots=True)
class Workbench:
    """`runtime` has learned everything that `learn` returned from; see `has_room`."""

    runtime: LearningRuntime
    task: Task
    settings: LearnSettings
    clock: Callable[[], float] = perf_counter
    _full: bool = False
    _spare: LearningRuntime | None = None
    _since: list[Rows] = field(default_factory=list)
    _due: float = 0.0
    _probes: Batch | None = None

    def has_room(self) -> bool:
        """Whether the model may learn; not once it has grown too large to be copied."""
        if self._spare is None and not self._full:
            self._keep_spare()
        return not self._full

    def learn(self, batch: Batch, labels: Sequence[Scalar]) -> None:
        """Learn all of these rows, or none; only while there is room.

        Raises:
            ModelError: the runtime failed on them.
            ArithmeticError: having learned them, it gives answers that are not finite.
        """
        try:
            self.runtime.learn(batch, labels)
            self._probe(batch)
        except (ModelError, ArithmeticError):
            self._go_back()
            raise
        self._since.append((batch, labels))
        rows = sum(rows.size for rows, _ in self._since)
        if rows >= self.settings.relearn or self.clock() >= self._due:
            self._keep_spare()

    def _keep_spare(self) -> None:
        began = self.clock()
        try:
            self._spare = self.runtime.copy()
        except ArtifactTooLarge:
            self._full = True
            return
        self._since.clear()
        now = self.clock()
        self._due = now + (now - began) / self.settings.copy_share

    def _go_back(self) -> None:
        """Come to the state before the failure once more, and keep that as the spare."""
        if self._spare is None:
            raise ValueError("there is no state to go back to")
        self.runtime = self._spare.copy()
        for batch, labels in self._since:
            self.runtime.learn(batch, labels)
        if self._since:
            self._keep_spare()

    def _probe(self, batch: Batch) -> None:
        """A new state must give finite answers on rows that were answered well before."""
        probes = self._probes
        if probes is None or probes.size < self.settings.probes:
            known = batch if probes is None else Batch.concat([probes, batch])
            probes = known.take(range(min(known.size, self.settings.probes)))
        if not answered(self.runtime.predict(probes), self.task).all():
            raise FloatingPointError("the learned state gives answers that are not finite")
        self._probes = probes
