"""Wrangling steps that need all rows, by DuckDB: aggregates, pivots, and fitted values."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from modstream.datasets.parquet import kind_of, load_library
from modstream.models.datasets.columns import ColumnKind
from modstream.models.datasets.wrangle_kinds import StepProblem, kinds_after, require
from modstream.models.datasets.wrangle_steps import (
    Aggregate,
    Fill,
    FittedFill,
    Pivot,
    StatefulStep,
    Statistic,
)
from modstream.operations.datasets.duck import named, open_duck, quoted

CALL = re.compile(r"^(\w+)\((.*)\)$", re.DOTALL)
STATISTICS: tuple[str, ...] = get_args(Statistic)
OF_NUMBERS = frozenset({"sum", "mean", "median", "deviation"})
MAX_PIVOTED = 500
"""The largest number of columns that a pivot makes."""
SQL: Mapping[str, str] = {
    "count": "count({})",
    "distinct": "count(DISTINCT {})",
    "sum": "sum({})",
    "mean": "avg(CAST({} AS DOUBLE))",
    "median": "median(CAST({} AS DOUBLE))",
    "min": "min({})",
    "max": "max({})",
    "deviation": "stddev_pop(CAST({} AS DOUBLE))",
}
FITTED: Mapping[str, str] = {
    "mean": "avg({0})",
    "median": "median({0})",
    "most_frequent": "(SELECT {0} FROM rows WHERE {0} IS NOT NULL GROUP BY {0}"
    " ORDER BY count(*) DESC, {0} LIMIT 1)",
}
Kinds = Mapping[str, ColumnKind]


def run_stateful(step: StatefulStep, table: Any, folder: Path, label: str) -> Any:  # noqa: ANN401
    """Return the `pyarrow.Table` that a step makes of one; groups are in ascending order.

    Raises:
        StepProblem: the step does not fit the columns.
        SourceUnusable: the query fails.
    """
    kinds = {field.name: kind_of(field.type) for field in table.schema}
    with open_duck(f"step {label}", folder) as connection:
        connection.register("rows", _nan_as_missing(table))
        query = (
            _aggregate(step, kinds)
            if isinstance(step, Aggregate)
            else _pivot(step, kinds, connection)
        )
        return _plain(connection.sql(query).to_arrow_table())


def fit(step: Fill, table: Any, folder: Path, label: str) -> Fill:  # noqa: ANN401 - of pyarrow
    """Return a step with constants in place of values that are computed from a `pyarrow.Table`.

    Raises:
        StepProblem: a column does not exist, or has no values.
    """
    values = dict(step.fill)
    fitted = {name: one for name, one in values.items() if isinstance(one, FittedFill)}
    if not fitted:
        return step
    kinds_after(step, {field.name: kind_of(field.type) for field in table.schema})
    with open_duck(f"step {label}", folder) as connection:
        connection.register("rows", _nan_as_missing(table.select([*fitted])))
        for name, one in fitted.items():
            expression = FITTED[one.fitted].format(named(name))
            found = connection.execute(f"SELECT {expression} FROM rows LIMIT 1").fetchone()[0]  # noqa: S608 - quoted
            if found is None:
                raise StepProblem(f"{name} has no values to take the {one.fitted} of")
            values[name] = found
    return step.model_copy(update={"fill": values})


def _aggregate(step: Aggregate, kinds: Kinds) -> str:
    require(step.by, kinds)
    groups = [named(name) for name in step.by]
    values = [
        f"{_statistic(text, kinds)} AS {named(name)}" for name, text in step.aggregate.items()
    ]
    repeated = next((name for name in step.aggregate if name in step.by), None)
    if repeated is not None:
        raise StepProblem(f"two columns would be called {repeated}")
    grouped = f" GROUP BY {', '.join(groups)} ORDER BY {', '.join(groups)}" if groups else ""
    return f"SELECT {', '.join([*groups, *values])} FROM rows{grouped}"  # noqa: S608 - quoted


def _statistic(text: str, kinds: Kinds) -> str:
    """Return the SQL of `mean(column)`, or of `count()`, the number of rows."""
    found = CALL.match(text.strip())
    if found is None or found[1] not in STATISTICS:
        raise StepProblem(
            f"{text!r} is none of {', '.join(f'{one}(column)' for one in STATISTICS)}"
        )
    name, column = found[1], found[2].strip()
    if not column:
        if name != "count":
            raise StepProblem(f"{text!r}: name a column")
        return "count(*)"
    return _sql(name, column, kinds)


def _sql(statistic: str, column: str, kinds: Kinds) -> str:
    require([column], kinds)
    if statistic in OF_NUMBERS and kinds[column] not in {"float", "int", "bool"}:
        raise StepProblem(f"{column} is {kinds[column]} and has no {statistic}")
    value = named(column)
    if statistic == "sum" and kinds[column] == "bool":
        value = f"CAST({value} AS BIGINT)"
    return SQL[statistic].format(value)


def _pivot(step: Pivot, kinds: Kinds, connection: Any) -> str:  # noqa: ANN401 - of duckdb
    definition = step.pivot
    require([*definition.rows, definition.columns], kinds)
    column = named(definition.columns)
    value = _sql(definition.statistic, definition.values, kinds)
    distinct = f"SELECT DISTINCT {column} FROM rows ORDER BY 1 NULLS LAST LIMIT {MAX_PIVOTED + 1}"  # noqa: S608
    texts = connection.execute(f"SELECT CAST({column} AS VARCHAR) FROM ({distinct})").fetchall()  # noqa: S608
    if len(texts) > MAX_PIVOTED:
        raise StepProblem(f"{definition.columns} has more than {MAX_PIVOTED} different values")
    parts = [named(name) for name in definition.rows]
    groups = ", ".join(parts)
    for (text,) in texts:
        condition = (
            f"{column} IS NULL" if text is None else f"CAST({column} AS VARCHAR) = {quoted(text)}"
        )
        title = named(f"{definition.columns}_{'missing' if text is None else text}")
        parts.append(f"{value} FILTER (WHERE {condition}) AS {title}")
    return f"SELECT {', '.join(parts)} FROM rows GROUP BY {groups} ORDER BY {groups}"  # noqa: S608


def _nan_as_missing(table: Any) -> Any:  # noqa: ANN401 - of pyarrow
    """Return a table with null in place of NaN."""
    arrow, compute = load_library("pyarrow"), load_library("pyarrow.compute")
    columns = [
        compute.if_else(compute.is_nan(column), None, column)
        if arrow.types.is_floating(column.type)
        else column
        for column in table.columns
    ]
    return arrow.table(columns, names=table.schema.names)


def _plain(table: Any) -> Any:  # noqa: ANN401 - of pyarrow
    """Return a table with int64 and float64 in place of the larger types of sums."""
    arrow = load_library("pyarrow")
    fields = []
    for one in table.schema:
        kind = arrow.int64() if arrow.types.is_decimal(one.type) else one.type
        fields.append(arrow.field(one.name, kind))
    return table.cast(arrow.schema(fields))
