"""A row that ends the learner's process costs two restarts, not the partition."""

import subprocess
import sys

import pytest

from tests.modstream.services.crashing_learner import DEADLY_OFFSET, RECORDS


@pytest.mark.long
def test_a_row_that_ends_the_process_is_set_aside_at_the_second_restart(tmp_path):
    command = [sys.executable, "-m", "tests.modstream.services.crashing_learner", str(tmp_path)]

    runs = [subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(3)]

    assert [run.returncode for run in runs] == [-6, -6, 0], runs[-1].stderr
    *_, facts = runs[-1].stdout.splitlines()
    assert facts == f"{RECORDS - 1} {DEADLY_OFFSET}:internal_error"
