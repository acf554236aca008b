"""Atomic updates of a learning model: it learns all rows of a batch or none of them.

A failing `learn` leaves a model half changed. Therefore a spare copy is kept, with the rows learned
since the copy was made. After a failure the spare learns those rows again and replaces the model.
The time spent on copies is bounded by `max_copy_time_share`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from modstream.models.errors import ArtifactTooLarge, ModelError
from modstream.models.runtimes.runtime import LearningRuntime, has_output
from modstream.models.schema.card import Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch
from modstream.processors.guard.hard_rules import Violation
from modstream.processors.learn.settings import LearnSettings

LabelledBatch = tuple[Batch, Sequence[Scalar]]
"""Rows and their labels."""


@dataclass(slots=True)
class AtomicLearner:
    """A model whose updates are atomic: `runtime` has learned every batch that `learn` accepted."""

    runtime: LearningRuntime
    task: Task
    settings: LearnSettings
    clock: Callable[[], float] = perf_counter
    _is_full: bool = False
    _spare: LearningRuntime | None = None
    _rows_since_copy: list[LabelledBatch] = field(default_factory=list)
    _copy_due: float = 0.0
    _probe_rows: Batch | None = None

    def has_room(self) -> bool:
        """Return whether the model may learn; it may not once it is too large to be copied."""
        if self._spare is None and not self._is_full:
            self._copy_state()
        return not self._is_full

    def learn(self, batch: Batch, labels: Sequence[Scalar]) -> None:
        """Learn all rows of a batch, or none; call it only if `has_room`.

        Raises:
            ModelError: if the runtime failed on the rows.
            ArithmeticError: if predictions are not finite after the rows were learned.
        """
        try:
            self.runtime.learn(batch, labels)
            self._check_probes(batch)
        except (ModelError, ArithmeticError):
            self._restore()
            raise
        self._rows_since_copy.append((batch, labels))
        rows = sum(rows.size for rows, _ in self._rows_since_copy)
        if rows >= self.settings.max_relearn_rows or self.clock() >= self._copy_due:
            self._copy_state()

    def learn_each(self, batch: Batch, labels: Sequence[Scalar]) -> list[Violation]:
        """Learn all rows that can be learned; return the others.

        If a batch fails, its halves are learned, until each failing row is isolated.
        """
        failed: list[Violation] = []
        pending = [range(batch.size)]
        while pending:
            part = pending.pop()
            if not self.has_room():
                detail = "the model is too large to learn more"
                failed += [Violation(row, "model_full", detail) for row in part]
                continue
            rows = batch if len(part) == batch.size else batch.take(part)
            try:
                self.learn(rows, [labels[row] for row in part])
            except (ModelError, ArithmeticError) as error:
                if len(part) == 1:
                    failed.append(Violation(part[0], "unlearnable", str(error)))
                else:
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
        return failed

    def _copy_state(self) -> None:
        start = self.clock()
        try:
            self._spare = self.runtime.copy()
        except ArtifactTooLarge:
            self._is_full = True
            return
        self._rows_since_copy.clear()
        now = self.clock()
        self._copy_due = now + (now - start) / self.settings.max_copy_time_share

    def _restore(self) -> None:
        """Rebuild the state before the failure from the spare, and renew the spare."""
        if self._spare is None:
            raise ValueError("no copy of the model to restore; call has_room before learn")
        self.runtime = self._spare.copy()
        for batch, labels in self._rows_since_copy:
            self.runtime.learn(batch, labels)
        if self._rows_since_copy:
            self._copy_state()

    def _check_probes(self, batch: Batch) -> None:
        """Raise FloatingPointError unless predictions for known good rows are finite."""
        probes = self._probe_rows
        if probes is None or probes.size < self.settings.probe_rows:
            known = batch if probes is None else Batch.concat([probes, batch])
            probes = known.take(range(min(known.size, self.settings.probe_rows)))
        if not has_output(self.runtime.predict(probes), self.task).all():
            raise FloatingPointError("predictions are not finite after learning")
        self._probe_rows = probes
