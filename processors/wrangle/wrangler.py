"""Wrangling steps on the columns of a batch, and on rows by name as a stream has them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modstream.models.datasets.columns import ColumnKind
from modstream.models.datasets.wrangle_kinds import StepProblem, kinds_after
from modstream.models.datasets.wrangle_steps import StatefulStep, StatelessStep, step_label
from modstream.models.errors import InputError
from modstream.models.schema.columns import clean_column, is_nan, parse_value
from modstream.processors.pipeline.values import Value
from modstream.processors.wrangle.compiled_steps import compile_step
from modstream.processors.wrangle.table import DTYPES, Kinds, WrangleTable

INPUT = "0 (input)"
"""How failures name what is before the first step."""


class WrangledRows(NamedTuple):
    """The rows after all steps, by name, None where a value is missing.

    `positions` are those of the rows that were given; `failures` have, by these positions, the
    step and the reason.
    """

    rows: list[dict[str, Any]]
    positions: list[int]
    failures: dict[int, tuple[str, str]]


class Wrangler:
    """Steps that look at one row at a time, compiled for columns of some kinds.

    `kinds` are those before the first step, `kinds_after` those after the last one.

    Raises:
        StepProblem: a step does not fit the columns, or needs more than one row.
    """

    def __init__(
        self, steps: Sequence[StatelessStep | StatefulStep], kinds: Kinds, first_number: int = 1
    ) -> None:
        self.kinds = dict(kinds)
        self._steps = []
        current: dict[str, ColumnKind] = dict(kinds)
        for number, step in enumerate(steps, start=first_number):
            label = step_label(number, step)
            if isinstance(step, StatefulStep):
                raise StepProblem(f"step {label} needs all rows, not one")
            try:
                self._steps.append(compile_step(step, label, current))
                current = kinds_after(step, current)
            except StepProblem as problem:
                raise StepProblem(f"step {label}: {problem}") from None
        self.kinds_after = current

    def run(self, table: WrangleTable) -> WrangleTable:
        """Run the steps on a table, and return it."""
        with np.errstate(all="ignore"):  # What is not finite fails in its row.
            for apply in self._steps:
                apply(table)
        return table

    def wrangle_rows(self, rows: Sequence[Mapping[str, Any]]) -> WrangledRows:
        """Run the steps on rows by name. What a row has besides the columns is left out.

        A value that is not of its column's kind fails the row, as it would fail a request.
        """
        columns, failed = {}, np.zeros(len(rows), np.bool_)
        reasons: dict[int, tuple[str, str]] = {}
        for name, kind in self.kinds.items():
            columns[name], errors = _parse_column(name, kind, [row.get(name) for row in rows])
            for position, error in errors.items():
                failed[position] = True
                reasons.setdefault(position, (INPUT, error))
        table = WrangleTable(columns, np.arange(len(rows)), reasons)
        table.keep(~failed)
        self.run(table)
        lists = [_to_list(value, table.size) for value in table.columns.values()]
        made = [
            dict(zip(table.columns, values, strict=True)) for values in zip(*lists, strict=True)
        ]
        return WrangledRows(made, table.rows.tolist(), table.failures)


def _parse_column(
    name: str, kind: ColumnKind, values: Sequence[Any]
) -> tuple[Value, dict[int, str]]:
    """Return raw values as a column of a kind, and by position what is wrong with some."""
    clean = clean_column(kind, values) if kind in DTYPES else None  # type: ignore[arg-type]
    if clean is not None:
        return Value(clean), {}
    missing = np.array([value is None or is_nan(value) for value in values], np.bool_)
    if kind not in DTYPES:
        data = np.empty(len(values), object)
        data[:] = values
        return Value(data, missing if missing.any() else None), {}
    data, errors = np.zeros(len(values), DTYPES[kind]), {}
    for position in np.flatnonzero(~missing).tolist():
        parsed = parse_value(name, kind, values[position])  # type: ignore[arg-type]  # of DTYPES
        if isinstance(parsed, InputError):
            errors[position] = str(parsed)
        else:
            data[position] = parsed
    return Value(data, missing if missing.any() else None), errors


def _to_list(value: Value, size: int) -> list[Any]:
    found = value.expand(size)
    values: list[Any] = found.data.tolist()
    if found.missing is None:
        return values
    return [
        None if is_missing else one
        for one, is_missing in zip(values, found.missing.tolist(), strict=True)
    ]
