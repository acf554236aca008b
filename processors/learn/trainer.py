"""The way of training examples into a model: guard, observation of the rows, update.

An unforeseen exception is isolated at each of these steps to the row that causes it. That
row is not learned, and the model's state is the one without it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from modstream.broker.errors import InternalError
from modstream.broker.loop.isolation import Failure, RecordFault, attempt_in_parts, place_of
from modstream.broker.wire.records import Record
from modstream.models.evaluation.input_drift import InputDriftMonitor
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch
from modstream.processors.guard.guard import FeedbackGuard, TrainingExample
from modstream.processors.guard.hard_rules import Reason, ValidatedBatch
from modstream.processors.learn.atomic_update import AtomicLearner
from modstream.processors.learn.settings import InputDriftSettings

BatchHook = Callable[[Batch, Sequence[Scalar], Sequence[int]], None]
"""Called with valid rows, their labels, and the event times (ms) of their requests."""


def no_hook(_batch: Batch, _labels: Sequence[Scalar], _request_times: Sequence[int]) -> None:
    """Do nothing before a batch is learned."""


class RejectedExample(NamedTuple):
    """An example that was not learned, and why."""

    example: TrainingExample
    reason: Reason


@dataclass(slots=True)
class TrainingOutcome:
    """What became of some examples: how many were learned, and which ones were not."""

    learned: int = 0
    rejected: list[RejectedExample] = field(default_factory=list)
    faults: list[RecordFault] = field(default_factory=list)


@dataclass(slots=True)
class ExampleTrainer:
    """Validates examples and lets a model learn those that are valid.

    Attributes:
        guard: decides which examples may be learned.
        atomic: the model.
        drift: monitors the features of learned rows; None switches that off.
        shifts: the input shifts found so far, by feature; the caller takes them.
    """

    guard: FeedbackGuard
    atomic: AtomicLearner
    drift: InputDriftMonitor | None = None
    shifts: dict[str, float] = field(default_factory=dict)

    def train(self, examples: Sequence[TrainingExample], hook: BatchHook) -> TrainingOutcome:
        """Learn the valid examples; `hook` is called with them before any of them is learned."""
        outcome = TrainingOutcome()
        for part, checked in self._check(examples, outcome.faults):
            self._learn(part, checked, hook, outcome)
        return outcome

    def _check(
        self, examples: Sequence[TrainingExample], faults: list[RecordFault]
    ) -> Iterator[tuple[Sequence[TrainingExample], ValidatedBatch]]:
        """Yield the examples with the guard's verdict: all at once, or in parts if it fails.

        An example on which the guard fails is added to `faults`.
        """
        for part, checked in attempt_in_parts(self.guard.check, examples) if examples else ():
            if isinstance(checked, Failure):
                faults.append(fault_of(part[0].record, checked.error))
            else:
                yield part, checked

    def _learn(
        self,
        examples: Sequence[TrainingExample],
        checked: ValidatedBatch,
        hook: BatchHook,
        outcome: TrainingOutcome,
    ) -> None:
        """Learn the valid rows of some examples, and add what became of all to the outcome."""
        times = [examples[position].feedback.event_time for position in checked.kept]

        def observe(rows: Sequence[int]) -> None:
            batch = checked.batch if len(rows) == len(times) else checked.batch.take(rows)
            hook(batch, [checked.labels[row] for row in rows], [times[row] for row in rows])
            if self.drift is not None:
                self.shifts |= self.drift.update(batch)

        failed = {
            part[0]: seen.error
            for part, seen in (attempt_in_parts(observe, range(len(times))) if times else ())
            if isinstance(seen, Failure)
        }
        valid = checked.excluding([checked.kept[row] for row in failed])
        errors = {checked.kept[row]: error for row, error in failed.items()}
        violations = list(valid.violations)
        if valid.kept:
            unlearned = self.atomic.learn_each(valid.batch, valid.labels)
            outcome.learned += len(valid.kept) - len(unlearned)
            errors |= {valid.kept[row]: error for row, error in self.atomic.faults.items()}
            violations += [one._replace(position=valid.kept[one.position]) for one in unlearned]
        outcome.faults += [fault_of(examples[at].record, error) for at, error in errors.items()]
        outcome.rejected += [
            RejectedExample(examples[at], (rule, detail))
            for at, rule, detail in violations
            if rule != InternalError.code
        ]


def fault_of(record: Record, error: BaseException) -> RecordFault:
    """Return the fault of a record that causes an unforeseen exception."""
    return RecordFault(record, error, place_of(error))


def drift_monitor(settings: InputDriftSettings) -> InputDriftMonitor | None:
    """Return an input drift monitor, or None if it is switched off."""
    if not settings.sample_every:
        return None
    return InputDriftMonitor(settings.delta, settings.sample_every)
