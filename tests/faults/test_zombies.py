"""Workers that sleep so long that others have taken over, and then wake up and go on."""

import os
import signal

import pytest

from tests.faults.harness import marks, until

pytestmark = [pytest.mark.fault, pytest.mark.real]

GIVEN_BACK = "batch not delivered"
"""What a worker logs that aborts and reads its batch again instead of ending."""


def test_a_worker_frozen_in_a_transaction_past_its_session_and_timeout_is_fenced(scene):
    scene.start_workers(3)
    fenced = 0

    with scene.trial(10_000) as trial:
        for _ in marks(trial, scene.times):
            zombie, held = scene.freeze_transaction()
            before = scene.row(zombie.slot).restarts, scene.log(zombie.slot).count(GIVEN_BACK)
            scene.await_members(2)
            until(lambda held=held: passed(scene.stable_ends(), held), "an end of its transaction")
            os.kill(zombie.pid, signal.SIGCONT)
            until(
                lambda slot=zombie.slot, before=before: (
                    scene.row(slot).restarts > before[0]
                    or scene.log(slot).count(GIVEN_BACK) > before[1]
                ),
                "a zombie that noticed",
            )
            fenced += 1
            scene.await_members(3)
        verdict = scene.judge("zombies", trial, fenced, fenced)

    assert fenced == scene.times
    assert verdict.aborted > 0
    assert verdict.found == {}


def passed(stable, held):
    return all(stable[home] > end for home, end in held.items())
