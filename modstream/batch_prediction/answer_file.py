"""The file of the answers: Parquet, which has its name only once it is complete."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from modstream.batch_prediction.predictor import ERROR
from modstream.errors import UnusableSource
from modstream.operations.replaced_file import replaced_file

OnRows = Callable[[int], None]
"""Is called with the number of rows that were written so far."""


@dataclass(slots=True)
class BatchReport:
    """What a batch prediction has done; `refused` counts rows by the code of their error."""

    rows: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def predicted(self) -> int:
        """The number of rows that have a prediction."""
        return self.rows - self.refused.total()

    @property
    def rows_per_second(self) -> float:
        """The rows a second, over the whole run."""
        return self.rows / self.seconds if self.seconds else 0.0


def write_answers(
    answers: Iterable[Any], path: Path, on_rows: OnRows = lambda _rows: None
) -> BatchReport:
    """Write tables of answers, at least one, to a file, which is replaced as a whole.

    If the process ends before, the file is as it was, and a partial file is left beside it, which
    the next call replaces.

    Raises:
        UnusableSource: the file cannot be written.
    """
    report, begun = BatchReport(), monotonic()
    try:
        with replaced_file(path) as partial:
            _write(answers, partial, report, on_rows)
    except (OSError, pa.ArrowException) as error:
        raise UnusableSource(str(path), f"it cannot be written: {error}") from None
    report.seconds = monotonic() - begun
    return report


def _write(answers: Iterable[Any], path: Path, report: BatchReport, on_rows: OnRows) -> None:
    writer = None
    try:
        for table in answers:
            if writer is None:
                writer = parquet.ParquetWriter(path, table.schema, compression="zstd")
            if table.num_rows:
                writer.write_table(table)
            codes = table.column(ERROR)
            if codes.null_count < len(codes):
                report.refused.update(one for one in codes.to_pylist() if one is not None)
            report.rows += table.num_rows
            on_rows(report.rows)
    finally:
        if writer is not None:
            writer.close()
