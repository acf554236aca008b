"""The rows of a Parquet file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modstream.errors import UnusableSource

BATCH_ROWS = 5_000


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file by name, a batch of them in memory.

    Raises:
        UnusableSource: the file cannot be read, or pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException  # noqa: PLC0415 - an extra
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError:
        raise UnusableSource(
            str(path), "install it with: pip install 'modstream[parquet]'"
        ) from None
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                # By columns: pyarrow's own conversion to rows takes twice as long.
                columns = [column.to_pylist() for column in batch.columns]
                names = batch.schema.names
                for values in zip(*columns, strict=True):
                    yield dict(zip(names, values, strict=True))
    except (ArrowException, OSError) as error:
        raise UnusableSource(str(path), str(error)) from None
