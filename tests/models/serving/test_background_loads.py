"""Loads beside the requests: their number, their order and their end."""

from threading import Event

import pytest
from structlog.testing import capture_logs

from modstream.models.errors import ModelError
from modstream.models.serving.background_loads import MAX_QUEUED_LOADS, BackgroundLoads
from modstream.models.serving.wait_budget import WaitBudget
from tests.models.timing import ManualClock


@pytest.fixture
def go_on():
    event = Event()
    yield event
    event.set()


def test_a_flood_of_keys_neither_starts_a_thread_each_nor_fills_the_memory(go_on):
    loads = BackgroundLoads(2, 60.0)

    begun = [loads.begin(number, go_on.wait) for number in range(1000)]

    accepted = [load for load in begun if load is not None]
    assert len(accepted) == 2 + MAX_QUEUED_LOADS
    assert sum(load.started_at is not None for load in accepted) == 2
    go_on.set()
    assert all(load.wait(5) for load in accepted)


def test_a_key_is_loaded_once_at_a_time(go_on):
    loads = BackgroundLoads(2, 60.0)
    assert loads.begin("a", go_on.wait) is loads.begin("a", go_on.wait)


def test_a_load_that_was_asked_for_meanwhile_is_repeated_once(go_on):
    loads, runs, is_repeated = BackgroundLoads(1, 60.0, repeats=True), [], Event()

    def run():
        runs.append(go_on.wait(5))
        if len(runs) == 2:
            is_repeated.set()

    for _ in range(5):
        loads.begin("a", run)
    go_on.set()

    assert is_repeated.wait(5)
    loads.join(5)
    assert len(runs) == 2


def test_an_overdue_load_gives_its_turn_to_the_next(go_on):
    clock = ManualClock()
    loads = BackgroundLoads(1, 10.0, clock=clock)
    stuck, waiting = loads.begin("stuck", go_on.wait), loads.begin("next", lambda: "result")
    clock.now += 11

    loads.poll()

    assert waiting.wait(5)
    assert waiting.result() == "result"
    assert loads.is_overdue(stuck)
    go_on.set()
    assert stuck.wait(5)
    assert not loads.is_overdue(stuck)


def test_an_unforeseen_error_becomes_the_result():
    loads = BackgroundLoads(1, 10.0)
    with capture_logs() as logs:
        load = loads.begin("a", lambda: 1 / 0)
        assert load.wait(5)

    with pytest.raises(ModelError, match="loading failed: ZeroDivisionError"):
        load.result()
    assert [entry["event"] for entry in logs] == ["loading a model failed"]


def test_the_budget_is_full_at_first_and_refills_by_its_share():
    clock = ManualClock()
    budget = WaitBudget(1.0, 0.1, clock)
    assert budget.available() == 1.0

    budget.spend(1.5)
    assert budget.available() == 0.0
    clock.now += 7
    assert budget.available() == pytest.approx(0.2)
    clock.now += 1000
    assert budget.available() == 1.0
