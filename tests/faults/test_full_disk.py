"""The disk of a broker is full."""

import os
import shutil
import subprocess
from contextlib import suppress

import pytest

from modstream.stack.embedded import EmbeddedKafka, EmbeddedServer
from modstream.stack.embedded.jars import MIN_FREE_BYTES
from tests.faults.harness import ENDLESS, TIMEOUT_SECONDS, FaultHarness, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.real]

BYTES_LEFT = 200_000
"""Free bytes that remain on the broker's disk."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A small disk in memory, for this module only."""
    folder = tmp_path_factory.mktemp("disk")
    size = f"size={MIN_FREE_BYTES + 100_000_000}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def broker(disk):
    server = EmbeddedServer(EmbeddedKafka(disk / "kafka")).start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def bootstrap(broker: EmbeddedServer):
    return broker.url


def fill(disk):
    """Fill the disk except for BYTES_LEFT; return the file that fills it."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        while (free := shutil.disk_usage(disk).free) > BYTES_LEFT:
            # The broker writes at the same time, so an attempt may fail and is repeated.
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free - BYTES_LEFT // 2)
    return filler


def test_a_full_disk_loses_nothing_and_work_continues_after_space_is_freed(
    harness: FaultHarness, broker: EmbeddedServer, disk
):
    harness.server_logs.append(broker.log)
    harness.start_workers(2)
    answered_at_fault = []

    with harness.start_run(1000, rate=200, max_in_flight=ENDLESS) as run:
        run.target = ENDLESS
        for _ in range(harness.times):
            assert run.wait_for_answers(run.answered + 1000, TIMEOUT_SECONDS)
            filler = fill(disk)
            wait_until(lambda: broker.pid is None, "the broker exits")
            answered_at_fault.append(run.answered)
            filler.unlink()
            broker.start()
        assert run.is_sending
        run.target = run.sent + 500
        result = harness.finish(
            f"disk full after {answered_at_fault[0]:,} answers", run, len(answered_at_fault)
        )

    assert result.fault_counts == {}
