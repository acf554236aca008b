import subprocess
import sys

import pytest

LEARNERS = {"river", "sklearn", "scipy", "pandas", "faust", "optuna", "skl2onnx"}


@pytest.mark.slow
def test_a_worker_starts_without_the_libraries_of_those_who_learn():
    found = subprocess.run(
        [sys.executable, "-c", "import sys, modstream.cli.worker; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "confluent_kafka" in found.stdout.split()
    assert LEARNERS.isdisjoint(found.stdout.split())
