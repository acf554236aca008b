"""Batch prediction of flights: rows a second by DuckDB, and under Ray with the same answers.

    python -m bench.batch_prediction --rows 3000000

The flights of 2013 are repeated until there are so many rows, in a Parquet file with a key. The
demo's frozen model, boosted trees with one-hot encoding in ONNX, predicts them. The answers of both
files are compared row by row. Ray needs `pip install 'modstream[ray]'`; without it, it is left out.
"""

import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer
from pyarrow import parquet

from bench.machine import describe_machine
from modstream.batch_prediction.run import BatchPrediction, Engine
from modstream.batch_prediction.source_table import SourceTable
from modstream.batch_prediction.version_files import VersionFile, VersionFiles
from modstream.models.schema.artifact import Artifact

KEY = "key"
CHUNK = 250_000
"""Rows that are written at once."""


def main(
    rows: Annotated[int, typer.Option(min=1, help="The number of rows.")] = 3_000_000,
    workers: Annotated[int, typer.Option(min=1, help="Actors under Ray.")] = 2,
) -> None:
    """Measure batch prediction, and print rows a second."""
    with (
        TemporaryDirectory(prefix="batch-prediction-") as name,
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
    ):
        folder = Path(name)
        # In another process, so that the memory of the preparation is not that of the prediction.
        files = pool.submit(prepare, folder / "rows.parquet", rows).result()
        source = SourceTable(folder / "rows.parquet", files.card.input_schema)
        first = measure(source, files, folder / "duckdb.parquet", "duckdb", None)
        if find_spec("ray") is None:
            typer.echo("ray is not installed: pip install 'modstream[ray]'")
        else:
            second = measure(source, files, folder / "ray.parquet", "ray", workers)
            typer.echo(f"equal answers: {'yes' if are_equal(first, second) else 'NO'}")
    typer.echo(str(describe_machine()))


def measure(
    source: SourceTable, files: VersionFiles, target: Path, engine: Engine, workers: int | None
) -> Path:
    """Predict the table, and print the speed; return the file of answers."""
    job = BatchPrediction(source, files, (KEY,), engine, workers)
    cpu = time.process_time()
    report = job.run(target)
    used = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    typer.echo(
        f"{engine}: {report.rows:,} rows in {report.seconds:.1f} s,"
        f" {report.rows_per_second:,.0f} rows/s, {report.refused.total():,} refused;"
        f" this process: {used:.1f} s of processor time, peak memory {peak:,.0f} MiB"
    )
    return target


def are_equal(first: Path, second: Path) -> bool:
    """Return whether two files of answers have the same rows, in the same order."""
    batches = zip(read_batches(first), read_batches(second), strict=True)
    return all(one.equals(other) for one, other in batches)


def read_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file, in batches of the same size."""
    table = parquet.read_table(path).combine_chunks()
    yield from table.to_batches(max_chunksize=CHUNK)


def prepare(path: Path, rows: int) -> VersionFiles:
    """Write the table, and return the version that predicts it."""
    write_table(path, rows)
    return flights_version()


def flights_version() -> VersionFiles:
    """Return the demo's frozen model as version 1."""
    from bench import benchmark_models  # noqa: PLC0415 - it loads what only training needs

    model = benchmark_models.flights()
    card = model.spec.make_card(1, Artifact(model.artifact))
    return VersionFiles(VersionFile(card.name, 1, card, model.artifact), (), (), "")


def write_table(path: Path, rows: int) -> None:
    """Write flights with a key, repeated, to a Parquet file."""
    from modstream.producers.replay.flights import FEATURES, load_flights  # noqa: PLC0415

    flights = pa.Table.from_pandas(load_flights()[list(FEATURES)], preserve_index=False)
    schema = pa.schema([(KEY, pa.string()), *flights.schema])
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for first in range(0, rows, CHUNK):
            numbers = np.arange(first, min(rows, first + CHUNK))
            keys = pa.array([f"flight-{number}" for number in numbers], pa.string())
            taken = flights.take(numbers % len(flights))
            writer.write_table(pa.table([keys, *taken.columns], schema=schema))


if __name__ == "__main__":
    typer.run(main)
