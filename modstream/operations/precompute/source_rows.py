"""The rows of a source, each with its key; and a copy of them on disk, with a fixed order."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec


class SourceRow(NamedTuple):
    """The values of a row by name, and its key; None if the source has none for it."""

    key: str | None
    values: Mapping[str, Any]


OpenRows = Callable[[], Iterator[SourceRow]]
"""Reads a source from its beginning; every call yields the same rows in the same order."""

_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(tuple[str | None, dict[str, Any]]).decode


def with_key(rows: Iterable[Mapping[str, Any]], column: str) -> Iterator[SourceRow]:
    """Yield rows with the value of a column as their key, which stays among the values."""
    for row in rows:
        yield SourceRow(key_text(row.get(column)), row)


def key_text(value: object) -> str | None:
    """Return a value as the text of a key; None for a missing one."""
    if value is None or value != value or value == "":  # noqa: PLR0124 - NaN is a missing value
        return None
    return value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')


def copy_rows(rows: Iterable[SourceRow], path: Path) -> int:
    """Write rows to a file; it exists only once it is complete. Return their number.

    Raises:
        ValueError: a value has no form in JSON.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, count = path.with_name(f".{path.name}"), 0
    with temporary.open("wb") as file:
        for count, row in enumerate(rows, start=1):
            try:
                file.write(_encode(row) + b"\n")
            except (TypeError, msgspec.MsgspecError) as error:
                raise ValueError(f"row {count:,}: {error}") from None
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return count


def read_copy(path: Path) -> Iterator[SourceRow]:
    """Yield the rows of a file that `copy_rows` has written."""
    with path.open("rb") as file:
        for line in file:
            yield SourceRow(*_decode(line))


def file_fingerprint(path: Path) -> str:
    """Return a text that changes when a file is written again."""
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"
