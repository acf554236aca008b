"""Files of CSV, JSON, JSON lines and Parquet as data sets, by DuckDB. The file is only read."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modstream.datasets.dataset import Provenance
from modstream.datasets.errors import SourceUnusable
from modstream.datasets.files import hash_file
from modstream.datasets.parquet import load_library
from modstream.datasets.staged_version import StagedVersion
from modstream.operations.datasets.csv_form import (
    CsvOptions,
    csv_relation,
    find_bad_line,
    require_different,
)
from modstream.operations.datasets.duck import normalised, open_duck, quoted
from modstream.operations.datasets.space import SAMPLE_ROWS, SpaceEstimate, free_space

CSV, JSON, JSON_LINES, PARQUET = "csv", "json", "jsonl", "parquet"
FORMS: Mapping[str, str] = MappingProxyType(
    {
        ".csv": CSV, ".tsv": CSV, ".json": JSON, ".jsonl": JSON_LINES, ".ndjson": JSON_LINES,
        ".parquet": PARQUET,
    }
)  # fmt: skip
"""The form of a file, by its suffix; `.gz` may follow that of a text."""
GZIP_FACTOR = 10
NUMBERED = re.compile(r"_\d+$")


def is_csv(source: str) -> bool:
    """Return whether a source is a file of CSV, by its suffix."""
    return FORMS.get(Path(source.lower().removesuffix(".gz")).suffix) == CSV


def form_of(path: Path) -> str:
    """Return the form of a file.

    Raises:
        SourceUnusable: its suffix is not known, or there is no such file.
    """
    suffixes = [one.lower() for one in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    form = FORMS.get(suffixes[-1] if suffixes else "")
    if form is None:
        raise SourceUnusable(str(path), f"its suffix must be one of {', '.join(FORMS)}")
    if not path.is_file():
        raise SourceUnusable(str(path), "there is no such file")
    return form


def relation_of(path: Path, options: CsvOptions) -> str:
    """Return how DuckDB reads a file. All rows of a text decide on the types of its columns.

    Raises:
        SourceUnusable: its suffix is not known, or there is no such file.
    """
    form, name = form_of(path), quoted(str(path))
    if form == PARQUET:
        require_different(_parquet_names(path), str(path))
        return f"read_parquet({name})"
    if form == CSV:
        return csv_relation(path, options)
    return json_relation(path, "newline_delimited" if form == JSON_LINES else "auto")


def _check_keys(path: Path, relation: str, folder: Path) -> None:
    """Raise if objects of JSON have keys that differ in the case of letters only.

    DuckDB numbers such columns, so that all keys are read only if a name ends with a number.
    """
    if form_of(path) not in {JSON, JSON_LINES}:
        return
    with open_duck(str(path), folder) as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()  # noqa: S608 - quoted
        if not any(NUMBERED.search(row[0]) for row in described):
            return
        objects = f"read_json_objects({quoted(str(path))}, format = 'auto')"
        keys = f"SELECT DISTINCT unnest(json_keys(json)) FROM {objects} ORDER BY 1"  # noqa: S608 - quoted
        names = [row[0] for row in connection.execute(keys).fetchall()]
    require_different(names, str(path))


def _parquet_names(path: Path) -> Sequence[str]:
    arrow, parquet = load_library("pyarrow"), load_library("pyarrow.parquet")
    try:
        names: Sequence[str] = parquet.read_schema(path).names
    except (arrow.ArrowException, OSError) as error:
        raise SourceUnusable(str(path), str(error)) from None
    return names


def json_relation(path: Path, form: str) -> str:
    """Return how DuckDB reads a file of JSON objects. No number of columns makes them a map."""
    return (
        f"read_json({quoted(str(path))}, sample_size = -1, format = '{form}', records = true,"
        " map_inference_threshold = -1, field_appearance_threshold = 0)"
    )


def estimate_file(path: Path, options: CsvOptions, folder: Path) -> SpaceEstimate:
    """Return how much space the rows of a file will need in a folder.

    Texts are scaled by what a sample takes as text of the same form and as Parquet.

    Raises:
        SourceUnusable: the file cannot be read.
    """
    relation, size = relation_of(path, options), path.stat().st_size
    form, free = form_of(path), free_space(folder)
    if form == PARQUET:
        with open_duck(str(path), folder) as connection:
            rows = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()[0]  # noqa: S608 - quoted
        return SpaceEstimate(rows, size, rows, 0, free)
    with _precise_reasons(path), open_duck(str(path), folder) as connection:
        connection.execute(
            f"CREATE TABLE sample AS {normalised(connection, relation)} LIMIT {SAMPLE_ROWS}"
        )
        rows = connection.execute("SELECT count(*) FROM sample").fetchone()[0]
        packed, text = _sizes_of_sample(connection, folder, "CSV" if form == CSV else "JSON")
    if path.suffix.lower() == ".gz":
        size *= GZIP_FACTOR
    total = max(rows, round(rows * size / max(text, 1))) if rows == SAMPLE_ROWS else rows
    return SpaceEstimate(total, round(packed * total / max(rows, 1)), rows, 0, free)


def ingest_file(path: Path, options: CsvOptions, staged: StagedVersion) -> Provenance:
    """Write the rows of a file to a new version.

    Raises:
        SourceUnusable: the file cannot be read, or another process changes it meanwhile.
    """
    relation, before = relation_of(path, options), hash_file(path)
    with _precise_reasons(path):
        _check_keys(path, relation, staged.folder)
        copy_relation(relation, str(path), staged)
    if hash_file(path) != before:
        raise SourceUnusable(str(path), "it was changed while it was read: ingest it again")
    return Provenance(operation="ingest", source=str(path.resolve()), source_sha256=before)


def copy_relation(relation: str, source: str, staged: StagedVersion) -> None:
    """Write all rows of a relation of DuckDB to the next file of a new version.

    Raises:
        SourceUnusable: they cannot be read, or there are none.
    """
    target = staged.new_file()
    with open_duck(source, staged.folder) as connection:
        query = normalised(connection, relation)
        connection.execute(f"COPY ({query}) TO {quoted(str(target))} (FORMAT parquet, CODEC zstd)")
    if load_library("pyarrow.parquet").read_metadata(target).num_rows == 0:
        raise SourceUnusable(source, "it has no rows")


@contextmanager
def _precise_reasons(path: Path) -> Iterator[None]:
    """Name the line of a CSV file, or that a file is empty, where DuckDB's reason does not."""
    try:
        yield
    except SourceUnusable:
        if path.stat().st_size == 0:
            raise SourceUnusable(str(path), "it has no rows") from None
        reason = find_bad_line(path) if form_of(path) == CSV else None
        if reason is None:
            raise
        raise SourceUnusable(str(path), reason) from None


def _sizes_of_sample(connection: Any, folder: Path, form: str) -> tuple[int, int]:  # noqa: ANN401
    """Return the bytes of the table `sample` as Parquet and as text."""
    sizes = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, options in (("parquet", "FORMAT parquet, CODEC zstd"), ("text", f"FORMAT {form}")):
        path = folder / f"_sample.{name}"
        try:
            connection.execute(f"COPY sample TO {quoted(str(path))} ({options})")
            sizes.append(path.stat().st_size)
        finally:
            path.unlink(missing_ok=True)
    return sizes[0], sizes[1]
