"""A model learns a set of rows or nothing."""

import numpy as np
import pytest

from modstream.models.errors import ArtifactTooLarge, LearnError
from modstream.processors.learn.atomic_update import Workbench
from modstream.processors.learn.settings import LearnSettings
from tests.models.timing import Clock
from tests.processors.small_fixtures import NUMBERS


class Sum:
    """A runtime that adds up what it learns, cannot stand 13, and goes mad at 666."""

    name = "sum"

    def __init__(self, total=0.0, clock=None, log=None):
        self.total, self.clock = total, clock
        self.log = [] if log is None else log

    def predict(self, batch):
        return np.full(batch.size, np.nan if self.total == 666 else self.total)

    def learn(self, batch, labels):
        for value in batch.columns["a"].tolist():
            if value == 13:
                raise LearnError(self.name, "13 is bad luck")
            self.total += value

    def copy(self):
        if self.total > 10_000:
            raise ArtifactTooLarge(1, 1)
        self.log.append(self.total)
        if self.clock is not None:
            self.clock.now += 1.0
        return Sum(self.total, self.clock, self.log)


def batch(*values):
    return NUMBERS.batch([{"a": value, "b": 0.0} for value in values]).batch


def learn(bench, *values):
    assert bench.has_room()
    bench.learn(batch(*values), [True] * len(values))


@pytest.mark.parametrize(("bad", "error"), [((1, 13), LearnError), ((660,), ArithmeticError)])
def test_what_fails_leaves_the_state_as_it_was(bad, error):
    clock = Clock()
    bench = Workbench(Sum(clock=clock), "binary", LearnSettings(), clock)
    learn(bench, 1, 2)
    learn(bench, 3)

    with pytest.raises(error):
        learn(bench, *bad)

    assert bench.runtime.total == 6
    learn(bench, 4)
    assert bench.runtime.total == 10


def test_copies_take_no_more_than_their_share_of_the_time():
    clock = Clock()
    runtime = Sum(clock=clock)
    bench = Workbench(runtime, "binary", LearnSettings(copy_share=0.05), clock)

    begun = clock.now
    for _ in range(2000):
        learn(bench, 0)
        clock.now += 0.1

    copying = len(runtime.log) * 1.0
    assert 0.03 < copying / (clock.now - begun) < 0.06


def test_not_more_rows_than_that_are_ever_learned_again():
    clock = Clock()
    runtime = Sum(clock=clock)
    bench = Workbench(runtime, "binary", LearnSettings(relearn=10), clock)

    for _ in range(35):
        learn(bench, 1)

    assert runtime.log == [0.0, 10.0, 20.0, 30.0]


def test_a_model_that_has_grown_too_large_stays_as_it_is():
    bench = Workbench(Sum(), "binary", LearnSettings(relearn=1), Clock())
    learn(bench, 20_000)

    assert not bench.has_room()
    assert bench.runtime.total == 20_000
