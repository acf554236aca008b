"""The demo, with kills and bad records, and stopped by signals at different times."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

import psutil
import pytest

pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.timeout(600), pytest.mark.long]


def start_demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MODSTREAM_")}
    return subprocess.Popen(
        [sys.executable, "-m", "modstream", "demo", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_kills_and_bad_records_leave_every_request_answered_once_and_no_label_learned_twice(
    tmp_path,
):
    demo = start_demo(
        tmp_path, "--chaos", "--bad", "0.01", "--start", "2013-04-15", "--end", "2013-04-18"
    )
    printed, _ = demo.communicate(timeout=580)

    assert demo.returncode == 0, printed
    for process in ("worker-0", "learner", "redis"):
        assert f"killed {process} at" in printed
    report = json.loads((tmp_path / ".modstream/demo/report.json").read_text())
    assert report["sound"] is True
    delivery = report["delivery"]
    assert delivery["requests"] > 2700
    assert sum(delivery["errors"].values()) > 8
    assert sum(delivery["dead_letters"].values()) > 4
    (learning,) = report["learning"]
    assert learning["rows_learned"] > 2400
    assert (learning["rows_learned_twice"], learning["rows_skipped"]) == (0, 0)
    page = (tmp_path / ".modstream/demo/report.html").read_text()
    assert "<svg" in page or "data:image/png" in page


@pytest.mark.parametrize(
    ("number", "moment", "processes"),
    [
        (signal.SIGTERM, "starting Kafka and Redis", 1),
        (signal.SIGKILL, "starting Kafka and Redis", 2),
        (signal.SIGINT, " requests  ", 5),
    ],
    ids=lambda value: getattr(value, "name", value) if isinstance(value, str | int) else None,
)
def test_stopped_at_any_time_the_demo_leaves_no_process(tmp_path, number, moment, processes):
    demo = start_demo(tmp_path, "--start", "2013-04-15", "--end", "2013-06-15", "--workers", "1")
    assert demo.stdout is not None
    for line in demo.stdout:
        if moment in line:
            break
    family = wait_for_processes(psutil.Process(demo.pid), processes)

    demo.send_signal(number)
    demo.stdout.close()

    code = demo.wait(30)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    # SIGTERM ends the demo at once as long as there is nothing to shut down in order.
    assert code == (130 if number is signal.SIGINT else -number)


def wait_for_processes(parent: psutil.Process, size: int) -> list[psutil.Process]:
    """Return all descendants, once there are `size`: Kafka, Redis, worker, joiner, learner."""
    deadline = monotonic() + 20
    while len(family := parent.children(recursive=True)) < size:
        assert monotonic() < deadline, f"only {len(family)} processes"
    return family
