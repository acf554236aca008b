"""Protection of a table before it leaves: columns are dropped, pseudonymised or generalised."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modstream.errors import LibraryMissing, UnusableSource
from modstream.models.schema.personal import pseudonym
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.operations.replaced_file import replaced_file

BATCH_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class ProtectionRules:
    """What becomes of the columns of a table; all others stay as they are.

    `person` is the column with the person's id, by whose key values are pseudonymised.
    `generalised` has the width of the classes of numbers, `shortened` how many characters of a text
    stay. Columns in `marked` are left out, too, unless another rule names them; the table need not
    have them.
    """

    dropped: frozenset[str] = frozenset()
    pseudonymised: frozenset[str] = frozenset()
    generalised: Mapping[str, float] = field(default_factory=dict)
    shortened: Mapping[str, int] = field(default_factory=dict)
    person: str | None = None
    marked: frozenset[str] = frozenset()

    def leaves_out(self, name: str) -> bool:
        """Return whether a column is not in the copy."""
        return name in self.dropped or (name in self.marked and name not in self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that the table must have."""
        person = () if self.person is None else (self.person,)
        named = (self.dropped, self.pseudonymised, self.generalised, self.shortened)
        return tuple(dict.fromkeys((*person, *(name for names in named for name in names))))


def protect_table(source: Path, target: Path, rules: ProtectionRules, keys: PersonKeys) -> int:
    """Write a protected copy of a Parquet or CSV table as Parquet; return the number of rows.

    The columns of a CSV file are texts, except those that are generalised.

    Raises:
        UnusableSource: the table lacks a column, cannot be read, or the copy cannot be written.
        PersonKeysUnusable: the keys cannot be read or written.
        LibraryMissing: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise LibraryMissing("protecting a table", "parquet") from None
    rows, writer = 0, None
    try:
        with replaced_file(target) as partial:
            for table in _read(source):
                _require(source, table.column_names, rules)
                copy = _protect(table, rules, keys)
                if writer is None:
                    writer = parquet.ParquetWriter(partial, copy.schema, compression="zstd")
                writer.write_table(copy)
                rows += copy.num_rows
            if writer is not None:
                writer.close()
    except (OSError, pa.ArrowException) as error:
        raise UnusableSource(str(source), str(error)) from None
    return rows


def _read(source: Path) -> Iterator[Any]:
    """Yield tables of a source, the first one also if it has no rows."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import csv as arrow_csv  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    if source.suffix == ".csv":
        with source.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file), [])
        texts = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        )
        with arrow_csv.open_csv(source, convert_options=texts) as reader:
            yield reader.schema.empty_table()
            yield from (pa.Table.from_batches([batch]) for batch in reader)
        return
    with parquet.ParquetFile(source) as file:
        yield file.schema_arrow.empty_table()
        yield from (pa.Table.from_batches([batch]) for batch in file.iter_batches(BATCH_ROWS))


def _require(source: Path, names: list[str], rules: ProtectionRules) -> None:
    missing = [name for name in rules.names if name not in names]
    if missing:
        raise UnusableSource(str(source), f"it has no column {', '.join(missing)}")


def _protect(table: Any, rules: ProtectionRules, keys: PersonKeys) -> Any:  # noqa: ANN401 - of pyarrow
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.compute as pc  # noqa: PLC0415

    persons = [] if rules.person is None else _texts(table.column(rules.person))
    by_person = keys.of(one for one in persons if one is not None)
    columns = {}
    for name in table.column_names:
        if rules.leaves_out(name):
            continue
        column = table.column(name)
        if name in rules.pseudonymised:
            # Without a person there is no key that could be destroyed, so there is no value.
            values = [
                None
                if value is None or person is None
                else pseudonym(by_person[person], name, value)
                for person, value in zip(persons, _texts(column), strict=True)
            ]
            column = pa.array(values, pa.string())
        elif name in rules.generalised:
            width, numbers = rules.generalised[name], pc.cast(column, pa.float64())
            column = pc.multiply(pc.floor(pc.divide(numbers, width)), width)
        elif name in rules.shortened:
            texts = pc.cast(column, pa.string())
            column = pc.utf8_slice_codeunits(texts, 0, rules.shortened[name])
        columns[name] = column
    return pa.table(columns)


def _texts(column: Any) -> list[str | None]:  # noqa: ANN401 - of pyarrow
    return [None if value is None else str(value) for value in column.to_pylist()]
