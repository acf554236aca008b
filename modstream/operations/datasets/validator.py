"""Expectations as a function on batches of rows, of files and of streams, by pandera.

pandera, an extra, is loaded when it is needed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from modstream.datasets.errors import ExpectationsInvalid
from modstream.datasets.parquet import load_library
from modstream.models.datasets.expectations import ColumnExpectation, Expectations
from modstream.operations.datasets.cell_checks import (
    CheckSeries,
    has_kind,
    is_among,
    is_at_least,
    is_at_most,
    matches,
)
from modstream.operations.datasets.own_checks import load_checks

MAX_VALUE = 100
RULES = {
    "not_nullable": "missing",
    "field_uniqueness": "unique",
    "column_in_dataframe": "present",
}
"""The rules of pandera by their names here."""


class CellFailure(NamedTuple):
    """A cell that is not as expected: its column, its row, its value as text, and the rule.

    The column is None if the rule is one of whole rows, the row None if it is one of all rows.
    """

    column: str | None
    row: int | None
    value: str
    rule: str


class Validator:
    """Checks batches of rows. Unique values are compared within a batch only.

    Raises:
        ExpectationsInvalid: a check does not exist, here and while batches are checked if a check
            fails itself.
        DataLibraryMissing: pandera is not installed.
    """

    def __init__(self, expectations: Expectations) -> None:
        self.expectations = expectations
        self._pandera = load_library("pandera.pandas")
        self._broken: dict[str, Exception] = {}
        own = {
            name: _guarded(name, check, self._broken)
            for name, check in load_checks(expectations).items()
        }
        columns = {
            name: self._column(expectation, own)
            for name, expectation in expectations.columns.items()
        }
        rows = [
            self._pandera.Check(own[name], name=name, ignore_na=False)
            for name in expectations.rows.checks
        ]
        self._schema = self._pandera.DataFrameSchema(columns, checks=rows)

    def check_rows(self, rows: Sequence[Mapping[str, Any]], first: int = 0) -> list[CellFailure]:
        """Return the failing cells of rows by name; `first` is the number of the first row.

        A value that a row does not have is missing.
        """
        frame = pd.DataFrame.from_records(list(map(dict, rows)))
        for name in self.expectations.columns:
            if name not in frame:
                frame[name] = pd.Series([None] * len(rows), dtype=object)
        return self.check_frame(frame, first)

    def check_frame(self, frame: pd.DataFrame, first: int = 0) -> list[CellFailure]:
        """Return the failing cells of a frame; `first` is the number of its first row."""
        numbered = frame.set_axis(range(first, first + len(frame)))
        try:
            self._schema.validate(numbered, lazy=True)
        except self._pandera.errors.SchemaErrors as errors:
            return sorted(set(_failures(errors.failure_cases)), key=_order)
        finally:
            self._require_working()
        return []

    def _require_working(self) -> None:
        for name, error in self._broken.items():
            reason = f"the check itself fails: {type(error).__name__}: {error}"
            raise ExpectationsInvalid(name, reason)

    def _column(self, expectation: ColumnExpectation, own: Mapping[str, Callable[..., Any]]) -> Any:  # noqa: ANN401 - of pandera
        checks = [
            self._pandera.Check(check, name=name) for name, check in _cell_checks(expectation)
        ]
        checks += [self._pandera.Check(own[name], name=name) for name in expectation.checks]
        return self._pandera.Column(
            None,
            checks,
            nullable=expectation.missing,
            required=not expectation.missing,
            unique=expectation.unique,
        )


def _guarded(
    name: str, check: Callable[..., Any], broken: dict[str, Exception]
) -> Callable[[Any], Any]:
    """Return a function of the user that keeps its own errors apart from values that are wrong.

    A result that is neither true nor false, of a missing value, counts as right.
    """

    def guarded(values: Any) -> Any:  # noqa: ANN401 - a series or a frame
        try:
            found = pd.array(check(values), dtype="boolean").fillna(value=True)
            return pd.Series(found.astype(bool), values.index)
        except Exception as error:  # noqa: BLE001 - the user's code
            broken[name] = error
            return pd.Series(data=True, index=values.index)

    return guarded


def _failures(found: pd.DataFrame) -> Iterator[CellFailure]:
    """Yield the failing cells of pandera's table."""
    names = ("schema_context", "column", "check", "failure_case", "index")
    for context, column, check, value, row in zip(*(found[name] for name in names), strict=True):
        rule = RULES.get(check, str(check))
        if rule == "present":
            yield CellFailure(str(value), None, "", rule)
        elif context == "Column":
            yield CellFailure(str(column), int(row), _shown(value, rule), rule)
        else:
            yield CellFailure(None, int(row), "", rule)


def _cell_checks(expectation: ColumnExpectation) -> Iterator[tuple[str, CheckSeries]]:
    if expectation.kind is not None:
        yield f"kind {expectation.kind}", has_kind(expectation.kind)
    if expectation.low is not None:
        yield f"low {expectation.low:g}", is_at_least(expectation.low)
    if expectation.high is not None:
        yield f"high {expectation.high:g}", is_at_most(expectation.high)
    if (allowed := expectation.values) is not None:  # noqa: PD011 - a field of a model
        yield "values", is_among(allowed)
    if expectation.pattern is not None:
        yield f"pattern {expectation.pattern}", matches(expectation.pattern)


def _shown(value: object, rule: str) -> str:
    return "" if rule == "missing" else str(value)[:MAX_VALUE]


def _order(failure: CellFailure) -> tuple[int, str, str]:
    return (-1 if failure.row is None else failure.row, failure.column or "", failure.rule)
