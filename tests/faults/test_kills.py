"""Workers are killed or stopped under load."""

import os
import signal

import pytest

from tests.faults.harness import FaultHarness, at_progress

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.long]


def test_ten_kills_with_three_inside_a_transaction_lose_and_duplicate_nothing(
    harness: FaultHarness,
):
    harness.start_workers(3)

    with harness.start_run(20_000) as run:
        for number, _ in enumerate(at_progress(run, 10 * harness.times)):
            if number == 0:
                # The records of this one's transaction are surely in the topic.
                os.kill(harness.freeze_transaction()[0].pid, signal.SIGKILL)
            else:
                harness.killer.kill(harness.targets, inside=number % 2 == 0)
        result = harness.finish("kill -9", run, harness.killer.kills + 1, harness.killer.inside + 1)

    assert harness.killer.kills == 10 * harness.times - 1
    assert harness.killer.inside >= 3 * harness.times
    assert result.aborted > 0
    assert result.fault_counts == {}
    assert result.exits.keys() == {"prediction"}, "no record is suspected of the kills"


def test_five_sigterms_end_workers_within_five_seconds_and_lose_and_duplicate_nothing(
    harness: FaultHarness,
):
    harness.start_workers(3)
    seconds, codes = [], []

    with harness.start_run(10_000) as run:
        for number, _ in enumerate(at_progress(run, 5 * harness.times)):
            worker = number % 3
            seconds.append(harness.stop(worker))
            codes.append(harness.row(worker).exit_code)
            harness.start(worker)
        result = harness.finish(f"SIGTERM, at most {max(seconds):.1f} s", run, len(seconds))

    assert codes == [0] * 5 * harness.times
    assert max(seconds) < 5
    assert result.fault_counts == {}
