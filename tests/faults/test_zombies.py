"""Workers that are stopped until others have taken over, and then continue."""

import os
import signal

import pytest

from tests.faults.harness import FaultHarness, at_progress, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.long]

RETRIED = "batch not delivered"
"""Log event of a worker that aborts and reads its batch again, instead of exiting."""


def test_a_worker_frozen_in_a_transaction_past_its_session_and_timeout_is_fenced(
    harness: FaultHarness,
):
    harness.start_workers(3)
    fenced = 0

    with harness.start_run(10_000) as run:
        for _ in at_progress(run, harness.times):
            zombie, held = harness.freeze_transaction()
            before = (
                harness.row(zombie.instance).restarts,
                harness.log(zombie.instance).count(RETRIED),
            )
            harness.wait_for_members(2)
            wait_until(
                lambda held=held: has_passed(harness.stable_ends(), held),
                "the end of its transaction",
            )
            os.kill(zombie.pid, signal.SIGCONT)
            wait_until(
                lambda worker=zombie.instance, before=before: (
                    harness.row(worker).restarts > before[0]
                    or harness.log(worker).count(RETRIED) > before[1]
                ),
                "the zombie notices",
            )
            fenced += 1
            harness.wait_for_members(3)
        result = harness.finish("zombies", run, fenced, fenced)

    assert fenced == harness.times
    assert result.aborted > 0
    assert result.fault_counts == {}


def has_passed(stable_ends, held):
    return all(stable_ends[partition] > end for partition, end in held.items())
