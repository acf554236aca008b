"""Wrangling steps compiled to functions of columns: the same ones in batch and in a worker."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from modstream.models.datasets.columns import ColumnKind
from modstream.models.datasets.wrangle_kinds import expression_of, kinds_after
from modstream.models.datasets.wrangle_steps import (
    Clip,
    Combine,
    Derive,
    Drop,
    Fill,
    Filter,
    FittedFill,
    Keep,
    Rename,
    StatelessStep,
)
from modstream.models.schema.columns import Scalar
from modstream.processors.pipeline.casts import to_text
from modstream.processors.pipeline.evaluation import Evaluate, compile_expression
from modstream.processors.pipeline.values import Mask, Value, either
from modstream.processors.wrangle.table import Kinds, WrangleTable, with_kind

NO_RESULT = "the expression has no finite result"
Apply = Callable[[WrangleTable], None]
"""Changes the columns and rows of a table."""


def compile_step(step: StatelessStep, label: str, kinds: Kinds) -> Apply:
    """Return the function of a step on columns of some kinds; `label` names it in failures.

    Raises:
        StepProblem: the step does not fit the columns.
    """
    after = kinds_after(step, kinds)
    match step:
        case Rename(rename=names):
            apply = _rename(names)
        case Keep() | Drop():
            apply = _select([*after])
        case Derive(derive=texts, on_error=on_error):
            parts = {
                name: (compile_expression(expression_of(text)), after[name])
                for name, text in texts.items()
            }
            apply = _derive(parts, label if on_error == "fail" else None)
        case Combine(combine=names_by_column, separator=separator):
            apply = _combine(names_by_column, separator)
        case Filter(filter=text, on_error=on_error):
            evaluate = compile_expression(expression_of(text))
            apply = _filter(evaluate, label if on_error == "fail" else None)
        case Clip(clip=bounds):
            apply = _clip(bounds)
        case Fill(fill=values):
            apply = _fill(values)
    return apply


def _rename(names: Mapping[str, str]) -> Apply:
    def apply(table: WrangleTable) -> None:
        table.columns = {names.get(name, name): value for name, value in table.columns.items()}

    return apply


def _select(names: Sequence[str]) -> Apply:
    def apply(table: WrangleTable) -> None:
        table.columns = {name: table.columns[name] for name in names}

    return apply


def _derive(parts: Mapping[str, tuple[Evaluate, ColumnKind]], label: str | None) -> Apply:
    """Return a step that adds columns; without a label, failed values are missing."""

    def apply(table: WrangleTable) -> None:
        values = {name: evaluate(table) for name, (evaluate, _) in parts.items()}
        failed = either(*(value.failed for value in values.values()))
        for name, value in values.items():
            found = value if label is not None else _failed_as_missing(value)
            table.columns[name] = with_kind(found, parts[name][1], table.size)
        if label is not None:
            _drop_failed(table, failed, label)

    return apply


def _combine(parts: Mapping[str, Sequence[str]], separator: str) -> Apply:
    def apply(table: WrangleTable) -> None:
        made = {}
        for name, columns in parts.items():
            texts = [to_text([table.columns[column]]).expand(table.size) for column in columns]
            joined = [
                separator.join(map(str, row))
                for row in zip(*(one.data for one in texts), strict=True)
            ]
            data = np.empty(table.size, object)
            data[:] = joined
            made[name] = Value(data, either(*(one.missing for one in texts)))
        table.columns |= made

    return apply


def _filter(evaluate: Evaluate, label: str | None) -> Apply:
    def apply(table: WrangleTable) -> None:
        found = evaluate(table).expand(table.size)
        keep = found.data.astype(np.bool_)
        if found.missing is not None:
            keep &= ~found.missing
        failed = found.failed
        if failed is not None:
            keep &= ~failed
            if label is not None:
                for row in table.rows[failed].tolist():
                    table.failures.setdefault(row, (label, NO_RESULT))
        table.keep(keep)

    return apply


def _clip(bounds: Mapping[str, Sequence[float]]) -> Apply:
    def apply(table: WrangleTable) -> None:
        for name, (low, high) in bounds.items():
            value = table.columns[name]
            limits = np.array([low, high]).astype(value.data.dtype)
            table.columns[name] = value._replace(data=np.clip(value.data, *limits))

    return apply


def _fill(values: Mapping[str, FittedFill | Scalar]) -> Apply:
    """Return a step that replaces missing values by constants."""
    constants = {name: value for name, value in values.items() if not isinstance(value, FittedFill)}
    if len(constants) < len(values):
        raise TypeError("fitted values are computed before the step is compiled")

    def apply(table: WrangleTable) -> None:
        for name, constant in constants.items():
            value = table.columns[name]
            if value.missing is not None:
                data = value.data.copy()
                data[value.missing] = constant
                table.columns[name] = Value(data)

    return apply


def _failed_as_missing(value: Value) -> Value:
    return Value(value.data, either(value.missing, value.failed))


def _drop_failed(table: WrangleTable, failed: Mask | None, label: str) -> None:
    if failed is not None:
        table.fail(np.broadcast_to(failed, (table.size,)), label, NO_RESULT)
