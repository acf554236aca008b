"""The clocks of a budget."""

import pytest

from modstream.models.training.budget import Budget, Stopwatch


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clocks():
    return Clock(), Clock()


def test_waiting_does_not_use_a_budget_of_processor_time(clocks):
    cpu, wall = clocks
    budget = Budget(10.0, "cpu", Stopwatch(cpu, wall))

    wall.now += 1000

    assert (budget.used(), budget.allows()) == (0.0, True)
    cpu.now += 10
    assert (budget.share(), budget.allows()) == (1.0, False)


def test_waiting_uses_a_budget_of_wall_time(clocks):
    cpu, wall = clocks
    budget = Budget(10.0, "wall", Stopwatch(cpu, wall))

    wall.now += 4

    assert budget.used() == 4.0
    assert budget.allows(2.0)


def test_a_step_must_fit_and_not_take_most_of_the_budget(clocks):
    cpu, wall = clocks
    budget = Budget(100.0, "cpu", Stopwatch(cpu, wall))

    assert budget.allows(25.0)
    assert not budget.allows(26.0)
    cpu.now += 90
    assert not budget.allows(10.0)
    assert budget.allows(9.0)


def test_a_budget_of_nothing_is_used_at_once(clocks):
    budget = Budget(0.0, "cpu", Stopwatch(*clocks))

    assert (budget.share(), budget.allows()) == (1.0, False)
