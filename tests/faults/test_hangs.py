"""Calls that never return: the worker ends by itself, and another one goes on."""

import pytest

from modstream.stall import STALLED
from tests.faults.harness import until

pytestmark = [pytest.mark.fault, pytest.mark.real]

PATIENCE = 4.0


def test_a_worker_that_hangs_in_a_delivery_ends_and_is_started_again(scene):
    trap = scene.folder / "trap"
    scene.start(0, trap, stall_seconds=PATIENCE)
    scene.await_members(1)

    with scene.trial(5_000) as trial:
        assert trial.await_answers(500 * scene.times, 90)
        trap.touch()
        until(lambda: scene.row(0).restarts == 1, "a worker that ends by itself")
        codes = scene.row(0).exit_code
        verdict = scene.judge("hang in a delivery", trial, 1, 1)

    assert codes == STALLED
    assert not trap.exists()
    assert "nothing was delivered for 4 s" in scene.log(0)
    assert verdict.found == {}
