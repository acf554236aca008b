"""Calls that never return: the worker ends by itself, and another one goes on."""

import pytest

from modstream.stall import STALLED
from tests.faults.harness import marks, until

pytestmark = [pytest.mark.fault, pytest.mark.real]

PATIENCE = 4.0


def test_a_worker_that_hangs_in_a_delivery_ends_and_is_started_again(scene):
    trap = scene.folder / "trap"
    scene.start(0, trap, stall_seconds=PATIENCE)
    scene.await_members(1)
    codes = []

    with scene.trial(5_000) as trial:
        for hangs, _ in enumerate(marks(trial, scene.times), start=1):
            trap.touch()
            until(lambda hangs=hangs: scene.row(0).restarts == hangs, "a worker that ends")
            codes.append(scene.row(0).exit_code)
        verdict = scene.judge("hang in a delivery", trial, len(codes), len(codes))

    assert codes == [STALLED] * scene.times
    assert not trap.exists()
    assert scene.log(0).count("nothing was delivered for 4 s") >= scene.times
    assert verdict.found == {}
