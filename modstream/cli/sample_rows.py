"""Sample rows of `modstream models publish`, read from a CSV, Parquet or JSON lines file."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from modstream.models.importers.description import SAMPLE_ROW_LIMIT
from modstream.models.schema.input_schema import Feature

Row = dict[str, object]


def read_sample(path: Path, features: tuple[Feature, ...] = ()) -> list[Row]:
    """Return the first rows of a file by column; a missing value is None.

    More rows than `SAMPLE_ROW_LIMIT` are not read. A CSV file has no types: `features` say which
    columns are strings although they look like numbers.

    Raises:
        typer.BadParameter: the file cannot be read as its suffix says, or has no rows.
    """
    readers: Mapping[str, Callable[[], list[Row]]] = {
        ".csv": lambda: _read_csv(path, features),
        ".parquet": lambda: _read_parquet(path),
        ".jsonl": lambda: list(_read_json_lines(path)),
        ".ndjson": lambda: list(_read_json_lines(path)),
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise typer.BadParameter(f"{path.name} does not end in .csv, .parquet, .jsonl or .ndjson")
    try:
        rows = reader()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(
            f"{path.name} is not UTF-8 (byte {error.start}): save it in that encoding"
        ) from None
    except ImportError:
        raise typer.BadParameter(
            f"{path.name}: reading Parquet needs the package pyarrow: install it, or use a CSV file"
        ) from None
    except (ValueError, OSError) as error:
        raise typer.BadParameter(f"{path.name} cannot be read: {error}") from None
    if not rows:
        raise typer.BadParameter(f"{path.name} has no rows")
    return rows


def _read_csv(path: Path, features: tuple[Feature, ...]) -> list[Row]:
    strings = {feature.name: str for feature in features if feature.kind == "string"}
    header = pd.read_csv(path, nrows=0).columns
    dtypes: Any = {name: strings[name] for name in header if name in strings}
    return _rows(pd.read_csv(path, nrows=SAMPLE_ROW_LIMIT, dtype=dtypes))


def _read_parquet(path: Path) -> list[Row]:
    return _rows(pd.read_parquet(path).head(SAMPLE_ROW_LIMIT))


def _rows(table: pd.DataFrame) -> list[Row]:
    """Return a table's rows of Python scalars; None where a value is missing."""
    columns = {
        str(name): [
            None if is_missing else value
            for value, is_missing in zip(
                table[name].astype(object).tolist(), table[name].isna(), strict=True
            )
        ]
        for name in table.columns
    }
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _read_json_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        lines = (line for line in file if line.strip())
        for number, line in zip(range(SAMPLE_ROW_LIMIT), lines, strict=False):
            try:
                yield dict(json.loads(line))
            except (ValueError, TypeError, RecursionError) as error:
                raise ValueError(f"line {number + 1} is not a JSON object: {error}") from None
