"""A call or a partition stalls forever: the watchdog ends the worker, and another one continues."""

import pytest

from modstream.broker.loop.progress import EXIT_STALLED
from tests.faults.harness import FaultHarness, at_progress, wait_until
from tests.faults.worker import HANG, STALLED_PARTITION

pytestmark = [pytest.mark.fault, pytest.mark.real]

STALL_TIMEOUT_SECONDS = 4.0


@pytest.mark.parametrize(
    ("trap_name", "scenario"),
    [
        (HANG, "hang in a delivery"),
        pytest.param(
            STALLED_PARTITION, "one partition of four stalled", marks=pytest.mark.thorough
        ),
    ],
)
def test_a_stalled_worker_exits_and_is_restarted(harness: FaultHarness, trap_name, scenario):
    trap = harness.folder / trap_name
    harness.start(0, trap, stall_timeout=STALL_TIMEOUT_SECONDS)
    harness.wait_for_members(1)
    codes = []

    with harness.start_run(5_000) as run:
        for count, _ in enumerate(at_progress(run, harness.times), start=1):
            trap.touch()
            wait_until(lambda count=count: harness.row(0).restarts == count, "the worker exits")
            codes.append(harness.row(0).exit_code)
        result = harness.finish(scenario, run, len(codes), len(codes) * (trap_name == HANG))

    assert codes == [EXIT_STALLED] * harness.times
    assert not trap.exists()
    assert harness.log(0).count("none was delivered for 4 s") >= harness.times
    assert result.fault_counts == {}
