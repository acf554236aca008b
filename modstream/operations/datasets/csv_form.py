"""The form of a CSV file: its header decides, and no line is left out.

DuckDB's own detection leaves out the first lines of a file in which a later line has more values.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from modstream.datasets.errors import SourceUnusable
from modstream.operations.datasets.duck import quoted

DELIMITERS = (",", ";", "\t", "|")
SQL_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "float": "DOUBLE", "int": "BIGINT", "bool": "BOOLEAN", "string": "VARCHAR",
        "timestamp": "TIMESTAMP",
    }
)  # fmt: skip
"""The type in which DuckDB reads a column of a kind."""


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """What the text of a CSV file does not say: kinds of columns, and texts of missing values."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    nulls: Sequence[str] = ()


def csv_relation(path: Path, options: CsvOptions) -> str:
    """Return how DuckDB reads a CSV file.

    Raises:
        SourceUnusable: two columns have the same name, or one of the options does not exist.
    """
    header, delimiter = _read_header(path)
    require_different(header, str(path))
    unknown = [name for name in options.kinds if name not in header]
    if unknown:
        known = ", ".join(header)
        raise SourceUnusable(str(path), f"it has no column {unknown[0]}: it has {known}")
    pairs = (f"{quoted(name)}: '{SQL_TYPES[kind]}'" for name, kind in options.kinds.items())
    types = f", types = {{{', '.join(pairs)}}}" if options.kinds else ""
    nulls = f", nullstr = [{', '.join(map(quoted, ('', *options.nulls)))}]" if options.nulls else ""
    return (
        f"read_csv({quoted(str(path))}, sample_size = -1, header = true, skip = 0, comment = '',"
        f" delim = {quoted(delimiter)}, quote = '\"', escape = '\"', null_padding = false,"
        f" strict_mode = true{types}{nulls})"
    )


def require_different(names: Iterable[str], source: str) -> None:
    """Raise if two columns have the same name, or differ in the case of letters only.

    DuckDB does not distinguish such names, and would change one.

    Raises:
        SourceUnusable: two have.
    """
    seen: dict[str, str] = {}
    for name in names:
        if name.casefold() in seen:
            reason = f"two columns are called {seen[name.casefold()]!r} and {name!r}"
            raise SourceUnusable(source, f"{reason}: rename one")
        seen[name.casefold()] = name


def find_bad_line(path: Path) -> str | None:
    """Return what is wrong with the first line that the form does not allow; None if none is."""
    header, delimiter = _read_header(path)
    with _opened(path) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                if cells and len(cells) != len(header):
                    return (
                        f"line {reader.line_num:,} has {len(cells)} values, and the header has"
                        f" {len(header)} columns"
                    )
                "".join(cells).encode()
        except csv.Error as error:
            return f"line {reader.line_num:,}: {error}"
        except UnicodeEncodeError:
            return f"line {reader.line_num:,} is not UTF-8"
    return None


def _read_header(path: Path) -> tuple[list[str], str]:
    with _opened(path) as file:
        line = file.readline()
    delimiter = max(DELIMITERS, key=line.count)
    return next(csv.reader([line], delimiter=delimiter), []), delimiter


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    is_packed = path.suffix.lower() == ".gz"
    try:
        with gzip.open(path, "rb") if is_packed else path.open("rb") as file:
            yield TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    except OSError as error:
        raise SourceUnusable(str(path), error.strerror or str(error)) from None
