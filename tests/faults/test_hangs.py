"""What stands still for ever, a call or a partition: the worker ends, and another one goes on."""

import pytest

from modstream.process.watchdog import STALLED
from tests.faults.harness import marks, until

pytestmark = [pytest.mark.fault, pytest.mark.real]

PATIENCE = 4.0


@pytest.mark.parametrize(
    ("caught", "scenario"),
    [("hang", "hang in a delivery"), ("deaf", "one partition of four is heard no more")],
)
def test_a_worker_that_stands_still_ends_and_is_started_again(scene, caught, scenario):
    trap = scene.folder / caught
    scene.start(0, trap, stall_seconds=PATIENCE)
    scene.await_members(1)
    codes = []

    with scene.trial(5_000) as trial:
        for count, _ in enumerate(marks(trial, scene.times), start=1):
            trap.touch()
            until(lambda count=count: scene.row(0).restarts == count, "a worker that ends")
            codes.append(scene.row(0).exit_code)
        verdict = scene.judge(scenario, trial, len(codes), len(codes) * (caught == "hang"))

    assert codes == [STALLED] * scene.times
    assert not trap.exists()
    assert scene.log(0).count("none was delivered for 4 s") >= scene.times
    assert verdict.found == {}
