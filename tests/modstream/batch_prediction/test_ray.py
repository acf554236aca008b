"""Ray answers a table as this process does, row by row and in the same order."""

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from modstream.models.examples.echo import make_echo
from modstream.models.registry.backup import ArtifactBackup
from modstream.models.schema.artifact import Artifact
from modstream.registry.backups import backup_folder
from modstream.settings import load_settings

pytestmark = [pytest.mark.ray, pytest.mark.thorough]

TIMEOUT_SECONDS = 240
ROWS = 30_000


@pytest.mark.timeout(2 * TIMEOUT_SECONDS)
def test_ray_gives_the_same_answers_in_the_same_order(tmp_path):
    pytest.importorskip("ray", reason="needs the dependency group ray")
    home, source = tmp_path / "home", tmp_path / "rows"
    spec, content = make_echo("echo")
    ArtifactBackup(backup_folder(load_settings(home=home))).put(
        spec.make_card(1, Artifact(content)), Artifact(content)
    )
    source.mkdir()
    for part in range(3):
        numbers = np.arange(ROWS) + part * ROWS
        # Each part has a row that is refused.
        values = pa.array(numbers.astype(float), mask=numbers % ROWS == 7)
        table = pa.table({"id": numbers, "hash": values})
        parquet.write_table(table, source / f"{part}.parquet", row_group_size=5_000)

    facts = {engine: predict(tmp_path, home, engine) for engine in ("duckdb", "ray")}

    found = {engine: parquet.read_table(tmp_path / f"{engine}.parquet") for engine in facts}
    assert found["ray"].num_rows == 3 * ROWS
    assert found["ray"].equals(found["duckdb"])
    assert {one["predicted"] for one in facts.values()} == {3 * ROWS - 3}


def predict(folder, home, engine):
    command = [sys.executable, "-m", "modstream", "batch-predict", "rows", "--model", "echo"]
    options = ["--version", "1", "--offline", "--keep", "id", "--on", engine, "--json"]
    done = subprocess.run(
        [*command, *options, "--to", f"{engine}.parquet"],
        cwd=folder,
        env=os.environ | {"MODSTREAM_HOME": str(home), "MODSTREAM_REDIS": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 1, done.stderr  # three rows are refused
    (facts,) = json.loads(done.stdout)
    return facts
