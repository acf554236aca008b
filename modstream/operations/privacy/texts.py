"""The texts of files and records: what a scan and a search look at.

Parquet is read by pyarrow, an extra; all other files as UTF-8, JSON lines and CSV cell by cell.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from modstream.broker.wire.records import Record
from modstream.errors import LibraryMissing, UnusableSource

BATCH_ROWS = 10_000
PARQUET = ".parquet"
KEY, VALUE, HEADER, TEXT = "key", "value", "header", "text"
"""The names of fields that have none of their own."""


class FieldText(NamedTuple):
    """A text, and the column or the path of the field that has it."""

    field: str
    text: str


def texts_of_record(record: Record) -> Iterator[FieldText]:
    """Yield the texts of a record: its key, its headers, and the fields of its value."""
    if record.key:
        yield FieldText(KEY, record.key.decode(errors="replace"))
    for name, value in record.headers:
        if value:
            yield FieldText(f"{HEADER} {name}", value.decode(errors="replace"))
    if record.value:
        text = record.value.decode(errors="replace")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            yield FieldText(VALUE, text)
        else:
            yield from texts_of_value("", document)


def texts_of_value(path: str, value: object) -> Iterator[FieldText]:
    """Yield the texts of a value of JSON; a whole number is a text, too.

    The elements of a list have the path of the list. A text that is JSON itself, such as the
    features in an exported log, is taken apart.
    """
    if isinstance(value, dict):
        for name, one in value.items():
            yield from texts_of_value(f"{path}.{name}" if path else str(name), one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_of_value(path, one)
    elif isinstance(value, str):
        inner = _document(value)
        if inner is None:
            yield FieldText(path or VALUE, value)
        else:
            yield from texts_of_value(path, inner)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield FieldText(path or VALUE, str(value))


def texts_of_file(path: Path, limit: int | None = None) -> Iterator[FieldText]:
    """Yield the texts of a file, of its first rows only if there is a limit.

    Raises:
        UnusableSource: it cannot be read.
        LibraryMissing: it is Parquet, and pyarrow is not installed.
    """
    for row in islice(rows_of_file(path), limit):
        yield from texts_of_value("", row)


def rows_of_file(path: Path) -> Iterator[Any]:
    """Yield the rows of a file: of a table, or its lines.

    Raises:
        UnusableSource: it cannot be read.
        LibraryMissing: it is Parquet, and pyarrow is not installed.
    """
    try:
        yield from _rows_of(path)
    except OSError as error:
        raise UnusableSource(str(path), error.strerror or str(error)) from None


def _rows_of(path: Path) -> Iterable[Any]:
    if path.suffix == PARQUET:
        return _parquet_rows(path)
    if path.suffix == ".csv":
        return _csv_rows(path)
    return _lines(path)


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException  # noqa: PLC0415 - an extra
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError:
        raise LibraryMissing(f"reading {path.name}", "parquet") from None
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                yield from batch.to_pylist()
    except ArrowException as error:
        raise UnusableSource(str(path), str(error)) from None


def _csv_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        yield from csv.DictReader(file)


def _lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line in file:
            text = line.rstrip("\n")
            yield _document(text) or {TEXT: text}


def _document(text: str) -> object:
    """Return a text as an object or a list of JSON; None if it is none."""
    if text[:1] not in {"{", "["}:
        return None
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found
