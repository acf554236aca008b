"""The kinds of the columns after each wrangling step, known before a row is read."""

from collections.abc import Mapping, Sequence

from modstream.models.datasets.columns import ColumnKind
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
from modstream.models.pipelines.expressions import Expression, ExpressionError, parse_expression
from modstream.models.pipelines.kinds import ValueType, kind_of, type_of
from modstream.models.pipelines.references import Reference
from modstream.models.schema.columns import Scalar

ROW = "row"
"""The source of the references to columns in expressions."""
VALUES: Mapping[str, ColumnKind] = {
    "float": "float", "int": "int", "bool": "bool", "string": "string",
}  # fmt: skip
"""The kinds that expressions can compute with."""
Kinds = Mapping[str, ColumnKind]


class ColumnNames(dict[str, Reference]):
    """Takes every short name in an expression as that of a column."""

    def __bool__(self) -> bool:
        return True

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Reference:
        return Reference(ROW, name)


class StepProblem(ValueError):
    """A step does not fit the columns that it is given."""


def kinds_after(step: StatelessStep, kinds: Kinds) -> dict[str, ColumnKind]:
    """Return the columns after a step, in their order, with their kinds.

    Raises:
        StepProblem: a column does not exist, or is of a kind that the step does not take.
    """
    after: dict[str, ColumnKind] = dict(kinds)
    match step:
        case Rename(rename=names):
            after = _renamed(names, kinds)
        case Keep(keep=columns):
            require(columns, kinds)
            after = {name: kinds[name] for name in columns}
        case Drop(drop=columns):
            require(columns, kinds)
            after = {name: kind for name, kind in kinds.items() if name not in columns}
        case Derive(derive=expressions):
            after |= {name: kind_of_text(text, kinds) for name, text in expressions.items()}
        case Combine(combine=parts):
            for name, columns in parts.items():
                _require_kinds(columns, kinds, {"string", "int", "bool"}, f"{name} combines")
            after |= dict.fromkeys(parts, "string")
        case Filter(filter=text):
            if kind_of_text(text, kinds) != "bool":
                raise StepProblem(f"{text!r} is neither true nor false")
        case _:
            _check_values(step, kinds)
    return after


def _check_values(step: Clip | Fill, kinds: Kinds) -> None:
    if isinstance(step, Fill):
        _check_fill(step.fill, kinds)
        return
    _require_kinds([*step.clip], kinds, {"float", "int"}, "clip takes")
    for name, limits in step.clip.items():
        if kinds[name] == "int" and not all(one.is_integer() for one in limits):
            raise StepProblem(f"{name} has whole numbers, and its bounds are not whole")


def expression_of(text: str) -> Expression:
    """Return an expression whose short names are columns.

    Raises:
        StepProblem: it is none.
    """
    try:
        return parse_expression(text, ColumnNames())
    except ExpressionError as error:
        raise StepProblem(str(error)) from None


def kind_of_text(text: str, kinds: Kinds) -> ColumnKind:
    """Return the kind of the values of an expression.

    Raises:
        StepProblem: it is none, or does not take columns of these kinds.
    """

    def find(reference: Reference) -> ValueType:
        kind = kinds.get(reference.field) if reference.source == ROW else None
        if kind is None:
            name = reference.field if reference.source == ROW else reference
            raise ExpressionError(f"there is no column {name}: {_known(kinds)}")
        if kind not in VALUES:
            raise ExpressionError(f"nothing can be computed from {reference.field}, a {kind}")
        return ValueType(kind, may_miss=True)  # type: ignore[arg-type]  # one of VALUES

    try:
        return VALUES[type_of(expression_of(text), find).kind]
    except ExpressionError as error:
        raise StepProblem(str(error)) from None


def require(names: Sequence[str], kinds: Kinds) -> None:
    """Raise unless all columns exist.

    Raises:
        StepProblem: one does not.
    """
    for name in names:
        if name not in kinds:
            raise StepProblem(f"there is no column {name}: {_known(kinds)}")


def _renamed(names: Mapping[str, str], kinds: Kinds) -> dict[str, ColumnKind]:
    require([*names], kinds)
    found = [names.get(name, name) for name in kinds]
    repeated = next((name for name in found if found.count(name) > 1), None)
    if repeated is not None:
        raise StepProblem(f"two columns would be called {repeated}")
    return dict(zip(found, kinds.values(), strict=True))


def _require_kinds(names: Sequence[str], kinds: Kinds, allowed: set[str], what: str) -> None:
    require(names, kinds)
    for name in names:
        if kinds[name] not in allowed:
            raise StepProblem(f"{what} {' or '.join(sorted(allowed))}, and {name} is {kinds[name]}")


def _check_fill(values: Mapping[str, FittedFill | Scalar], kinds: Kinds) -> None:
    require([*values], kinds)
    for name, value in values.items():
        kind = kinds[name]
        if isinstance(value, FittedFill):
            if value.fitted != "most_frequent" and kind != "float":
                raise StepProblem(f"{name} is {kind}: only floats are filled with a {value.fitted}")
        elif kind_of(value) != kind and not (kind == "float" and kind_of(value) == "int"):
            raise StepProblem(f"{name} is {kind}, and {value!r} is {kind_of(value)}")


def _known(kinds: Kinds) -> str:
    return f"the columns are {', '.join(kinds)}"
