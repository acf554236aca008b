"""A model learns all rows of a batch or none."""

import numpy as np
import pytest

from modstream.models.errors import ArtifactTooLarge, LearnError, PredictError
from modstream.processors.learn.atomic_update import AtomicLearner
from modstream.processors.learn.settings import LearnSettings
from tests.models.timing import ManualClock
from tests.processors.small_fixtures import TWO_FLOATS


class SumRuntime:
    """A runtime that sums what it learns, fails on 13, and predicts NaN once the sum is 666."""

    name = "sum"

    def __init__(self, total=0.0, clock=None, log=None):
        self.total, self.clock = total, clock
        self.log = [] if log is None else log

    def predict(self, batch):
        return np.full(batch.size, np.nan if self.total == 666 else self.total)

    def learn(self, batch, labels):
        for value in batch.columns["a"].tolist():
            if value == 13:
                raise LearnError(self.name, "13 is not allowed")
            self.total += value

    def copy(self):
        if self.total > 10_000:
            raise ArtifactTooLarge(1, 1)
        self.log.append(self.total)
        if self.clock is not None:
            self.clock.now += 1.0
        return SumRuntime(self.total, self.clock, self.log)


def batch(*values):
    return TWO_FLOATS.parse_rows([{"a": value, "b": 0.0} for value in values]).batch


def learn(learner, *values):
    assert learner.has_room()
    learner.learn(batch(*values), [True] * len(values))


@pytest.mark.parametrize(("bad", "error"), [((1, 13), LearnError), ((660,), ArithmeticError)])
def test_a_failed_batch_does_not_change_the_state(bad, error):
    clock = ManualClock()
    learner = AtomicLearner(SumRuntime(clock=clock), "binary", LearnSettings(), clock)
    learn(learner, 1, 2)
    learn(learner, 3)

    with pytest.raises(error):
        learn(learner, *bad)

    assert learner.runtime.total == 6
    learn(learner, 4)
    assert learner.runtime.total == 10


def test_copies_take_no_more_than_their_share_of_the_time():
    clock = ManualClock()
    runtime = SumRuntime(clock=clock)
    learner = AtomicLearner(runtime, "binary", LearnSettings(max_copy_time_share=0.05), clock)

    start = clock.now
    for _ in range(2000):
        learn(learner, 0)
        clock.now += 0.1

    copying = len(runtime.log) * 1.0
    assert 0.03 < copying / (clock.now - start) < 0.06


def test_the_number_of_rows_learned_again_is_bounded():
    clock = ManualClock()
    runtime = SumRuntime(clock=clock)
    learner = AtomicLearner(runtime, "binary", LearnSettings(max_relearn_rows=10), clock)

    for _ in range(35):
        learn(learner, 1)

    assert runtime.log == [0.0, 10.0, 20.0, 30.0]


def test_a_model_that_has_grown_too_large_has_no_room():
    learner = AtomicLearner(
        SumRuntime(), "binary", LearnSettings(max_relearn_rows=1), ManualClock()
    )
    learn(learner, 20_000)

    assert not learner.has_room()
    assert learner.runtime.total == 20_000


def test_failing_rows_are_isolated_and_the_others_learned():
    learner = AtomicLearner(SumRuntime(), "binary", LearnSettings(), ManualClock())

    failed = learner.learn_each(batch(1, 13, 2, 13, 4), [True] * 5)

    assert [(row, rule) for row, rule, _ in failed] == [(1, "unlearnable"), (3, "unlearnable")]
    assert learner.runtime.total == 7


class SecondRowRuntime(SumRuntime):
    """A runtime without a prediction before it has learned two rows."""

    rows = 0

    def predict(self, batch):
        return np.full(batch.size, np.nan) if self.rows < 2 else super().predict(batch)

    def learn(self, batch, labels):
        super().learn(batch, labels)
        self.rows += batch.size

    def copy(self):
        duplicate = SecondRowRuntime(self.total)
        duplicate.rows = self.rows
        return duplicate


class FailingUntilSecondRow(SecondRowRuntime):
    """A runtime that fails to predict before it has learned two rows."""

    def predict(self, batch):
        if self.rows < 2:
            raise PredictError(self.name, "no season yet")
        return super().predict(batch)


@pytest.mark.parametrize("runtime", [SecondRowRuntime, FailingUntilSecondRow])
def test_a_model_learns_before_it_has_its_first_prediction_but_not_without_one_later(runtime):
    learner = AtomicLearner(runtime(), "binary", LearnSettings(), ManualClock())

    failed = learner.learn_each(batch(1), [True]) + learner.learn_each(batch(2), [True])

    assert failed == []
    (violation,) = learner.learn_each(batch(663), [True])
    assert violation.rule == "unlearnable"
    assert learner.runtime.total == 3


def test_a_first_batch_that_ruins_a_model_with_predictions_is_not_learned():
    learner = AtomicLearner(SumRuntime(), "binary", LearnSettings(), ManualClock())

    (violation,) = learner.learn_each(batch(666), [True])

    assert violation.rule == "unlearnable"
    assert learner.runtime.total == 0
