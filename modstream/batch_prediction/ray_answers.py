"""The same predictor under Ray Data: one actor for each core of a machine or a cluster."""

import logging
import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext

from modstream.batch_prediction.predictor import TablePredictor
from modstream.batch_prediction.source_table import SourceTable
from modstream.batch_prediction.version_files import VersionFiles
from modstream.errors import UnusableSource

ADDRESS = "RAY_ADDRESS"
"""The variable with the address of a cluster; without it, Ray is started on this machine."""

QUIET: Mapping[str, str] = MappingProxyType(
    {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_BACKEND_LOG_LEVEL": "fatal",
        "RAY_DATA_LOG_LEVEL": "ERROR",
    }
)
"""Variables by which Ray sends no statistics to the internet and prints nothing but errors."""
MIN_CORES = 2
"""One core reads, and another one predicts."""


class RayPredictor:
    """A predictor of tables in an actor of Ray, which loads the version once."""

    def __init__(self, files: VersionFiles, kept: tuple[str, ...]) -> None:
        self._predictor = TablePredictor.load(files, kept)

    def __call__(self, rows: Any) -> Any:  # noqa: ANN401 - tables of pyarrow
        """Return the answers to a table."""
        return self._predictor.predict(rows)


def ray_answers(
    source: SourceTable, files: VersionFiles, kept: tuple[str, ...], workers: int | None = None
) -> Iterator[Any]:
    """Yield the answers to a table of Parquet, in the order of its rows.

    Args:
        source: the table; every machine of a cluster must be able to read its files.
        files: the version.
        kept: the columns that are copied to the answers.
        workers: the number of actors; by default one for each core but one, which reads.

    Raises:
        UnusableSource: the table is CSV, lacks a feature, or cannot be read.
    """
    if source.is_csv:
        raise UnusableSource(str(source.path), "Ray reads Parquet only; CSV is read without --on")
    absent = [name for name in source.schema.names if name not in source.columns]
    if absent:
        reason = f"under Ray the table must have every feature, and {', '.join(absent)} is missing"
        raise UnusableSource(str(source.path), reason)
    is_own = _start()
    try:
        cores = ray.cluster_resources().get("CPU", 1.0)
        count = workers or max(1, int(cores) - 1)
        # The tasks that read the files need a core, too: without one left, nothing would begin.
        share = min(1.0, max(cores - 1, 0.0) / count)
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.execution_options.preserve_order = True
        columns = list(dict.fromkeys((*kept, *source.schema.names)))
        answers = ray.data.read_parquet(list(source.files), columns=columns).map_batches(
            RayPredictor,
            fn_constructor_args=(files, kept),
            batch_format="pyarrow",
            batch_size=source.batch_rows,
            compute=ActorPoolStrategy(size=count),
            num_cpus=share,
        )
        yield from answers.iter_batches(batch_format="pyarrow", batch_size=None)
    except ray.exceptions.RayError as error:
        raise UnusableSource(str(source.path), f"Ray: {str(error)[:1000]}") from None
    finally:
        if is_own:
            ray.shutdown()


def _start() -> bool:
    """Connect to the cluster, or start Ray here; return whether this call has started it."""
    if ray.is_initialized():
        return False
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray").setLevel(logging.ERROR)
    if os.environ.get(ADDRESS):
        ray.init(log_to_driver=False)
    else:
        cores = max(MIN_CORES, os.cpu_count() or 1)
        ray.init(
            num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
        )
    return True
