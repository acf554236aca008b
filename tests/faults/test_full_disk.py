"""A broker whose disk is full."""

import os
import shutil
import subprocess
from contextlib import suppress

import pytest

from modstream.stack.embedded import EmbeddedKafka, Server
from modstream.stack.embedded.jars import SPACE_NEEDED
from tests.faults.harness import ENDLESS, SECONDS, until

pytestmark = [pytest.mark.fault, pytest.mark.real]

LEFT = 200_000
"""Bytes of room that the broker is left with."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A small disk of this module's own, in memory."""
    folder = tmp_path_factory.mktemp("disk")
    size = f"size={SPACE_NEEDED + 100_000_000}"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def broker(disk):
    server = Server(EmbeddedKafka(disk / "kafka")).start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def bootstrap(broker):
    return broker.url


def fill(disk):
    """Take all room but a little, and return the file that holds it."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        while (room := shutil.disk_usage(disk).free) > LEFT:
            # The broker takes some of it at the same time: what is gone is looked for again.
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), room - LEFT // 2)
    return ballast


def test_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room_again(scene, broker, disk):
    scene.start_workers(2)
    stood_at = []

    with scene.trial(1000, rate=200, ahead=ENDLESS) as trial:
        trial.wanted = ENDLESS
        for _ in range(scene.times):
            assert trial.await_answers(trial.answered + 1000, SECONDS)
            ballast = fill(disk)
            until(lambda: broker.pid is None, "the broker gives up")
            stood_at.append(trial.answered)
            ballast.unlink()
            broker.start()
        assert trial.is_sending
        trial.wanted = trial.sent + 500
        verdict = scene.judge(f"disk full after {stood_at[0]:,} answers", trial, len(stood_at))

    assert verdict.found == {}
