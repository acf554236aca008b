"""A broker whose disk is full."""

import os
import shutil
import subprocess

import pytest

from modstream.embedded import EmbeddedKafka, Server
from modstream.embedded.jars import SPACE_NEEDED
from tests.faults.harness import SECONDS, until

pytestmark = [pytest.mark.fault, pytest.mark.long, pytest.mark.real, pytest.mark.timeout(600)]

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
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - LEFT)
    return ballast


def test_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room_again(scene, broker, disk):
    scene.start_workers(2)

    with scene.trial(20_000, rate=400, ahead=8_000) as trial:
        assert trial.await_answers(2000, SECONDS)
        ballast = fill(disk)
        until(lambda: broker.pid is None, "the broker gives up")
        stood_at = trial.answered
        ballast.unlink()
        broker.start()
        verdict = scene.judge(f"disk full after {stood_at:,} answers", trial, 1)

    assert stood_at < trial.plan.number
    assert verdict.found == {}
