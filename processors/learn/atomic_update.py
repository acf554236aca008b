"""Atomic updates of a learning model: it learns all rows of a batch or none of them.

A failing `learn` leaves a model half changed. Therefore a spare copy is kept, with the rows learned
since the copy was made. After a failure the spare learns those rows again and replaces the model.
The time spent on copies is bounded by `max_copy_time_share`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from modstream.broker.errors import InternalError, UnforeseenException
from modstream.broker.loop.isolation import is_fault, place_of
from modstream.models.errors import ArtifactTooLarge, ModelError
from modstream.models.runtimes.runtime import (
    LearningRuntime,
    NamedLearningRuntime,
    NamedRuntime,
    has_output,
    have_outputs,
)
from modstream.models.schema.card import Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch
from modstream.processors.guard.hard_rules import Violation
from modstream.processors.learn.settings import LearnSettings

AnyLearningRuntime = LearningRuntime | NamedLearningRuntime
"""A model that learns, whatever the form of its outputs."""
LabelledBatch = tuple[Batch, Sequence[Scalar]]
"""Rows and their labels."""


@dataclass(slots=True)
class AtomicLearner:
    """A model whose updates are atomic: `runtime` has learned every batch that `learn` accepted.

    `faults` are the unforeseen exceptions of the last `learn_each`, by row.
    """

    runtime: AnyLearningRuntime
    task: Task
    settings: LearnSettings
    clock: Callable[[], float] = perf_counter
    faults: dict[int, BaseException] = field(default_factory=dict)
    _is_full: bool = False
    _spare: AnyLearningRuntime | None = None
    _rows_since_copy: list[LabelledBatch] = field(default_factory=list)
    _copy_due: float = 0.0
    _probe_rows: Batch | None = None
    _predicts: bool | None = None

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
            BaseException: whatever else the runtime raised; the rows are not learned either.
        """
        if self._predicts is None:
            self._predicts = self._can_predict(batch)
        try:
            self.runtime.learn(batch, labels)
            self._check_probes(batch)
        except BaseException:
            self._restore()
            raise
        self._rows_since_copy.append((batch, labels))
        rows = sum(rows.size for rows, _ in self._rows_since_copy)
        if rows >= self.settings.max_relearn_rows or self.clock() >= self._copy_due:
            self._copy_state()

    def learn_each(self, batch: Batch, labels: Sequence[Scalar]) -> list[Violation]:
        """Learn all rows that can be learned; return the others.

        If a batch fails, its halves are learned, until each failing row is isolated. An exception
        that no runtime should raise is isolated in the same way, and added to `faults`.
        """
        failed: list[Violation] = []
        self.faults = {}
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
            except BaseException as error:
                if not is_fault(error):
                    raise
                if len(part) == 1:
                    failed.append(self._violation(part[0], error))
                else:
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
        return failed

    def _violation(self, row: int, error: BaseException) -> Violation:
        """Return why a row cannot be learned, from the exception that it causes."""
        if isinstance(error, ModelError | ArithmeticError):
            return Violation(row, "unlearnable", str(error))
        self.faults[row] = error
        cause = UnforeseenException(type(error).__qualname__, place_of(error))
        return Violation(row, InternalError.code, str(cause))

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
        """Raise FloatingPointError unless predictions for known good rows are finite.

        Some models predict nothing before they have learned a row of each of two classes, or a
        season of a series. They need not predict as long as they never did.
        """
        probes = self._probe_rows
        if probes is None or probes.size < self.settings.probe_rows:
            known = batch if probes is None else Batch.concat([probes, batch])
            probes = known.take(range(min(known.size, self.settings.probe_rows)))
        if not (self._usable(probes) if self._predicts else self._can_predict(probes)):
            if self._predicts:
                raise FloatingPointError("predictions are not finite after learning")
            return
        self._predicts, self._probe_rows = True, probes

    def _can_predict(self, rows: Batch) -> bool:
        """Return whether the model has finite predictions for all rows."""
        try:
            return self._usable(rows)
        except ModelError:
            return False

    def _usable(self, rows: Batch) -> bool:
        """Return whether the model's predictions for all rows are finite."""
        if isinstance(self.runtime, NamedRuntime):
            return bool(have_outputs(self.runtime.predict_rows(rows)).all())
        return bool(has_output(self.runtime.predict(rows), self.task).all())
