"""A precompute run, its worker and its materializer are killed again and again."""

import json
import random

import pytest

from tests.journeys.conftest import TIMEOUT_SECONDS
from tests.journeys.precompute_runs import (
    check_run,
    check_store,
    kill_after,
    open_precompute_system,
    start,
    write_rows,
)

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.thorough]

KILLS, ROWS_PER_KILL = 3, 4_000


def test_every_row_has_one_prediction_whatever_is_killed(
    bootstrap, redis_url, tmp_path, pytestconfig
):
    kills = KILLS * pytestconfig.getoption("--times")
    rng = random.Random(pytestconfig.getoption("--seed"))
    # The last rows take seconds, so that the last kill comes long before the end of the run.
    rows = (kills + 4) * ROWS_PER_KILL
    source = write_rows(tmp_path / "rows.jsonl", rows)
    with open_precompute_system(bootstrap, redis_url, tmp_path) as system:
        arguments = ("--from", str(source), "--key", "tail", "--run", "killed")
        for _ in range(kills):
            window = str(rng.choice([100, 1_000, 3_000]))
            requests = rng.randrange(1, ROWS_PER_KILL)
            kill_after(system, requests, *arguments, "--window", window)
            for service in ("worker", "materializer"):
                if rng.random() < 0.5:
                    system.supervisor.kill(service)
        with start(system, *arguments, "--json") as last:
            stdout, stderr = last.communicate(timeout=TIMEOUT_SECONDS * (1 + kills))

        assert last.returncode == 0, stderr
        check_run(system, json.loads(stdout), rows)
        check_store(system, json.loads(stdout), rows)
