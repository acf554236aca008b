"""Rows by name that a data set is made of: written to disk first, so that all decide on types."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from modstream.datasets.errors import NotEnoughSpace, SourceUnusable
from modstream.datasets.staged_version import StagedVersion
from modstream.operations.datasets.csv_form import require_different
from modstream.operations.datasets.ingest_file import copy_relation, json_relation
from modstream.operations.datasets.space import SpaceEstimate, free_space

CHUNK_ROWS = 5_000
PARQUET_SHARE = 0.25
"""Size of rows as Parquet, compared with JSON, before they are read: a cautious guess."""
RESERVE = 64 * 1024 * 1024
"""Free bytes that a source of unknown size leaves."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def estimate_rows(
    sample: Iterable[Mapping[str, Any]], total: int | None, folder: Path
) -> SpaceEstimate:
    """Return how much space rows will need, by a sample of them and their number, if it is known.

    They are written to disk as JSON first.
    """
    sizes = [len(_encode(row)) + 1 for row in sample]
    free = free_space(folder)
    if total is None or not sizes:
        return SpaceEstimate(total, None if total is None else 0, len(sizes), 0, free)
    text = round(total * sum(sizes) / len(sizes))
    return SpaceEstimate(total, round(text * PARQUET_SHARE), len(sizes), text, free)


def ingest_rows(rows: Iterable[Mapping[str, Any]], source: str, staged: StagedVersion) -> int:
    """Write rows to the next file of a new version; return their number.

    Raises:
        SourceUnusable: there are none, or a value has no form in JSON.
        NotEnoughSpace: the disk fills up.
    """
    spool, count = staged.folder / "_rows.jsonl", 0
    iterator, names = iter(rows), dict[str, None]()
    try:
        with spool.open("wb") as file:
            while chunk := list(islice(iterator, CHUNK_ROWS)):
                if (free := free_space(staged.folder)) < RESERVE:
                    raise NotEnoughSpace(staged.folder, RESERVE, free)
                file.writelines(_line(row, count + at, source) for at, row in enumerate(chunk))
                count += len(chunk)
                names |= dict.fromkeys(name for row in chunk for name in row)
        if not count:
            raise SourceUnusable(source, "it has no rows")
        require_different(names, source)
        copy_relation(json_relation(spool, "newline_delimited"), source, staged)
    finally:
        spool.unlink(missing_ok=True)
    return count


def _line(row: Mapping[str, Any], number: int, source: str) -> bytes:
    try:
        return _encode(row) + b"\n"
    except (TypeError, msgspec.MsgspecError) as error:
        raise SourceUnusable(source, f"row {number:,}: {error}") from None
