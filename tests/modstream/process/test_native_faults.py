"""Native code that fails leaves a report, and native code that never returns ends the process."""

import faulthandler
import subprocess
import sys
from threading import Thread
from time import monotonic

import pytest

from modstream.process.native_faults import NativeFaultHandler

pytestmark = pytest.mark.slow

PROGRAM = """
import ctypes, sys
from time import sleep
from modstream.process.native_faults import NativeFaultHandler

report = open(sys.argv[1], "ab", buffering=0) if len(sys.argv) > 1 else None
with NativeFaultHandler(1.0, report):
    {call}
print("returned")
"""


def run(call, *arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("call", "code", "first"),
    [
        ("ctypes.string_at(0)", -11, "Fatal Python error: Segmentation fault"),
        ("ctypes.PyDLL(None).sleep(60)", 1, "Timeout (0:00:01)!"),
    ],
    ids=["fatal signal", "hang with the interpreter's lock"],
)
def test_native_code_that_fails_leaves_a_report(tmp_path, call, code, first):
    report = tmp_path / "report"

    assert run(call, report).returncode == code
    assert report.read_text().splitlines()[0] == first
    assert first in run(call).stderr, "without a file, it is on standard error"


def test_a_thread_that_runs_longer_than_the_timeout_is_left_alone(tmp_path):
    report = tmp_path / "report"

    found = run("sleep(2.5)", report)

    assert (found.returncode, found.stdout) == (0, "returned\n")
    assert report.read_text() == ""


def test_beside_the_main_thread_nothing_is_installed(tmp_path):
    before = faulthandler.is_enabled()
    started = monotonic()

    def serve():
        with (tmp_path / "report").open("ab") as report, NativeFaultHandler(0.05, report):
            while monotonic() < started + 0.2:
                pass

    thread = Thread(target=serve)
    thread.start()
    thread.join()

    assert faulthandler.is_enabled() == before
    assert (tmp_path / "report").read_bytes() == b""
