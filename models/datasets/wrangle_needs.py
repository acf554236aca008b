"""Which steps and columns some columns depend on: what has to run before a model."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from modstream.models.datasets.wrangle_kinds import ColumnNames
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
    StatefulStep,
    StatelessStep,
    step_label,
)
from modstream.models.errors import StepsNotServable
from modstream.models.pipelines.expressions import ExpressionError, parse_expression, references

ServableStep = Rename | Keep | Derive | Combine | Clip | Fill
"""The steps that can run before a model."""
Step = TypeVar("Step", Rename, Derive, Combine, Clip, Fill)
Value = TypeVar("Value")


class NeededSteps(NamedTuple):
    """The parts of steps that some columns depend on.

    `columns` are those before the first step. `unchanged` has the columns of these that no step
    computes with, by the name that they have after the last one.
    """

    steps: Sequence[ServableStep]
    columns: frozenset[str]
    unchanged: Mapping[str, str]


def needed_steps(
    steps: Sequence[StatelessStep | StatefulStep], wanted: Collection[str]
) -> NeededSteps:
    """Return the parts of steps that the wanted columns depend on.

    Raises:
        StepsNotServable: a step needs or drops rows, or a value that is computed from a data set.
    """
    found: list[ServableStep] = []
    needed = frozenset(wanted)
    names = {name: name for name in needed}
    """The present names of columns that no step computes with, by their last ones."""
    used: set[str] = set()
    """The present names of columns that a later step computes with."""
    for number, step in reversed([*enumerate(steps, start=1)]):
        part = _part(step, step_label(number, step), needed)
        if part is None:
            continue
        found.append(part)
        if isinstance(part, Rename):
            olds = {new: old for old, new in part.rename.items()}
            needed = frozenset(olds.get(name, name) for name in needed)
            names = {last: olds.get(name, name) for last, name in names.items()}
            used = {olds.get(name, name) for name in used}
            if isinstance(step, Rename) and part.rename.keys() != step.rename.keys():
                # The name of a column that is renamed, but not needed, may be given to another one.
                found.append(Keep(keep=sorted(needed)))
            continue
        made, sources = _made(part), frozenset(_sources(part))
        names = {last: name for last, name in names.items() if name not in made}
        used = (used - made) | sources
        needed = (needed - made) | sources
    return NeededSteps(
        found[::-1], needed, {last: name for last, name in names.items() if name not in used}
    )


def _part(
    step: StatelessStep | StatefulStep, label: str, needed: Collection[str]
) -> ServableStep | None:
    """Return the part of a step that makes some of the needed columns; None for nothing."""
    match step:
        case Rename(rename=names):
            return _with(step, "rename", {old: new for old, new in names.items() if new in needed})
        case Derive(derive=texts):
            return _with(step, "derive", _chosen(texts, needed))
        case Combine(combine=columns):
            return _with(step, "combine", _chosen(columns, needed))
        case Clip(clip=bounds):
            return _with(step, "clip", _chosen(bounds, needed))
        case Fill(fill=values):
            constants = _chosen(values, needed)
            _require_constants(constants, label)
            return _with(step, "fill", constants)
        case Keep() | Drop():
            return None
        case Filter():
            raise StepsNotServable(
                f"step {label} leaves out rows, and a request is answered for each of its rows"
            )
        case _:
            raise StepsNotServable(f"step {label} needs all rows of a data set, not one")


def _chosen(made: Mapping[str, Value], needed: Collection[str]) -> dict[str, Value]:
    return {name: value for name, value in made.items() if name in needed}


def _with(step: Step, field: str, part: Mapping[str, object]) -> Step | None:
    """Return a step that does a part of what it did; None for nothing."""
    return step.model_copy(update={field: part}) if part else None


def _require_constants(values: Mapping[str, object], label: str) -> None:
    for name, value in values.items():
        if isinstance(value, FittedFill):
            raise StepsNotServable(
                f"step {label}: the {value.fitted} of {name} is computed from a data set: name the"
                " data set that these steps made, which has it as a constant"
            )


def _made(step: ServableStep) -> frozenset[str]:
    match step:
        case Derive(derive=made) | Combine(combine=made) | Clip(clip=made) | Fill(fill=made):
            return frozenset(made)
        case _:
            return frozenset()


def _sources(step: ServableStep) -> Iterator[str]:
    match step:
        case Derive(derive=texts):
            for text in texts.values():
                yield from columns_of(text)
        case Combine(combine=parts):
            for columns in parts.values():
                yield from columns
        case _:
            yield from _made(step)


def columns_of(text: str) -> frozenset[str]:
    """Return the names of the columns in an expression.

    Raises:
        StepsNotServable: it is none.
    """
    try:
        return frozenset(one.field for one in references(parse_expression(text, ColumnNames())))
    except ExpressionError as error:
        raise StepsNotServable(str(error)) from None
