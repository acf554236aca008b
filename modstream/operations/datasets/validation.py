"""Validation of a whole data set, or of a topic, batch by batch; the failing cells by rule."""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from modstream.broker.client.connection import Connection
from modstream.datasets.dataset import DataSet
from modstream.datasets.errors import ExpectationsInvalid
from modstream.datasets.parquet import load_library, table_to_frame
from modstream.models.datasets.columns import DatasetColumn
from modstream.models.datasets.expectations import ColumnExpectation, Expectations
from modstream.operations.datasets.ingest_topic import RECORD, TOPIC, find_rows
from modstream.operations.datasets.validator import CellFailure, Validator

BATCH_ROWS = 50_000
STREAM_ROWS = 2_000
MAX_EXAMPLES = 10
"""Failing cells of each rule that a result has; of more, only their number."""
MAX_VALUES = 20
"""Different texts of a column up to which they are expected to be all."""
Rule = tuple[str | None, str]


@dataclass(slots=True)
class ValidationResult:
    """The failing cells of `rows` rows: their number by column and rule, and the first of each.

    `row_name` gives the name of a row: its number, or its position in a topic.
    """

    rows: int = 0
    counts: Counter[Rule] = field(default_factory=Counter)
    examples: list[CellFailure] = field(default_factory=list)
    row_names: dict[int, str] = field(default_factory=dict)

    @property
    def is_valid(self) -> bool:
        """Whether no cell fails."""
        return not self.counts

    def add(self, failure: CellFailure, name_row: Callable[[int], str]) -> None:
        """Count a failing cell, and keep it if it is one of the first of its rule."""
        rule = (failure.column, failure.rule)
        self.counts[rule] += 1
        if self.counts[rule] <= MAX_EXAMPLES:
            self.examples.append(failure)
            if failure.row is not None:
                self.row_names[failure.row] = name_row(failure.row)


def validate_dataset(dataset: DataSet, expectations: Expectations) -> ValidationResult:
    """Check all rows of a data set.

    Raises:
        ExpectationsInvalid: a check does not exist, or fails itself.
        CatalogueUnusable: a file cannot be read.
        DataLibraryMissing: pandera is not installed.
    """
    validator, result = Validator(_without_unique(expectations)), ValidationResult()
    arrow = load_library("pyarrow")
    for batch in dataset.batches(rows=BATCH_ROWS):
        frame = table_to_frame(arrow.Table.from_batches([batch]))
        for failure in validator.check_frame(frame, result.rows):
            result.add(failure, str)
        result.rows += len(frame)
    for failure in _repeated(dataset, expectations):
        result.add(failure, str)
    _check_count(result, expectations)
    return result


def validate_topic(
    connection: Connection, topic: str, expectations: Expectations
) -> ValidationResult:
    """Check the rows of a topic up to its present end. Unique values are unique in a batch.

    Raises:
        ExpectationsInvalid: a check does not exist, or fails itself.
        BrokerError: the topic cannot be read.
        DataLibraryMissing: pandera is not installed.
    """
    validator, result = Validator(expectations), ValidationResult()
    rows = find_rows(connection, topic, None).read()
    while batch := list(islice(rows, STREAM_ROWS)):
        first = result.rows
        names = [f"{row[f'{RECORD}partition']}:{row[f'{RECORD}offset']}" for row in batch]
        for failure in validator.check_rows(batch, first):
            result.add(failure, lambda row: names[row - first])  # noqa: B023 - called at once
        result.rows += len(batch)
    _check_count(result, expectations)
    return result


def read_expectations(path: Path) -> Expectations:
    """Return the expectations in a TOML file.

    Raises:
        ExpectationsInvalid: it cannot be read, or has names or values that are none.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return Expectations.model_validate(document | {"folder": path.parent})
    except OSError as error:
        raise ExpectationsInvalid(path, error.strerror or str(error)) from None
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_url=False)
        ]
        raise ExpectationsInvalid(path, "; ".join(problems)) from None
    except ValueError as error:
        raise ExpectationsInvalid(path, str(error)) from None


def expectations_of(dataset: DataSet) -> dict[str, ColumnExpectation]:
    """Return what the rows of a data set have, as expectations of later ones, to be edited."""
    return {column.name: _expectation_of(dataset, column) for column in dataset.columns}


def is_topic(name: str) -> bool:
    """Return whether a name is that of a topic, not of a data set."""
    return name.startswith(TOPIC)


def _expectation_of(dataset: DataSet, column: DatasetColumn) -> ColumnExpectation:
    values = None
    if column.kind == "string":
        found = dataset.read_table([column.name]).column(0).drop_null().unique()
        values = sorted(found.to_pylist()) if 0 < len(found) <= MAX_VALUES else None
    return ColumnExpectation(kind=column.kind, missing=column.missing > 0, values=values)


def _without_unique(expectations: Expectations) -> Expectations:
    columns = {
        name: one.model_copy(update={"unique": False}) for name, one in expectations.columns.items()
    }
    return expectations.model_copy(update={"columns": columns})


def _repeated(dataset: DataSet, expectations: Expectations) -> Iterator[CellFailure]:
    """Yield the cells whose value occurs in an earlier row, of columns that are to be unique."""
    names = {column.name for column in dataset.columns}
    for name, expectation in expectations.columns.items():
        if expectation.unique and name in names:
            values = dataset.read_frame([name])[name]
            for row in values.index[values.notna() & values.duplicated()]:
                yield CellFailure(name, int(row), str(values[row]), "unique")


def _check_count(result: ValidationResult, expectations: Expectations) -> None:
    if result.rows < expectations.rows.least:
        failure = CellFailure(None, None, str(result.rows), f"least {expectations.rows.least}")
        result.add(failure, str)
