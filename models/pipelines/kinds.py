"""The kinds of the values of a pipeline, and whether they may be missing, known in advance."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from modstream.models.pipelines.expressions import (
    ARITHMETIC,
    COMPARISONS,
    Constant,
    Constants,
    Expression,
    ExpressionError,
    Operation,
)
from modstream.models.pipelines.references import Reference
from modstream.models.schema.columns import Scalar

ValueKind = Literal["float", "int", "bool", "string", "mapping"]
"""A mapping, such as the probabilities of all classes, can be an entry of an answer only."""
NUMBERS = frozenset({"float", "int"})


class ValueType(NamedTuple):
    """The kind of a value, and whether a row may have none."""

    kind: ValueKind
    may_miss: bool = False


TypeOf = Callable[[Reference], ValueType]
"""Returns the type of what a reference names, or raises `ExpressionError`."""


def kind_of(value: Scalar) -> ValueKind:
    """Return the kind of a constant."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    return "int" if isinstance(value, int) else "float"


def common_kind(kinds: Sequence[ValueKind], what: str) -> ValueKind:
    """Return the kind that values of several kinds have together; integers and floats are floats.

    Raises:
        ExpressionError: they have none; `what` names them.
    """
    found = set(kinds)
    if len(found) == 1:
        return kinds[0]
    if found <= NUMBERS:
        return "float"
    raise ExpressionError(f"{what} cannot be {' and '.join(sorted(found))} at once: use a cast")


def type_of(expression: Expression, types: TypeOf) -> ValueType:
    """Return the type of an expression's value.

    Raises:
        ExpressionError: an operation does not take values of these kinds.
    """
    match expression:
        case Constant(value=value):
            return ValueType(kind_of(value))
        case Reference():
            return types(expression)
        case Constants(values=values):
            return ValueType(common_kind(list(map(kind_of, values)), "the constants after `in`"))
        case Operation(name=name, arguments=arguments):
            found = [type_of(one, types) for one in arguments]
            return ValueType(_kind(name, [one.kind for one in found]), _may_miss(name, found))


def _may_miss(name: str, arguments: Sequence[ValueType]) -> bool:
    if name == "coalesce":
        return all(one.may_miss for one in arguments)
    return name != "is_missing" and any(one.may_miss for one in arguments)


def _kind(name: str, kinds: Sequence[ValueKind]) -> ValueKind:
    if "mapping" in kinds:
        raise ExpressionError(f"`{name}` takes no mapping: name one of its values")
    if name in {"==", "!=", "in"}:
        common_kind(kinds, f"the sides of `{name}`")
        return "bool"
    if name in COMPARISONS:
        _require(name, kinds, NUMBERS)
        return "bool"
    if name == "not":
        _require(name, kinds, {"bool"})
        return "bool"
    if name == "if":
        _require("a condition", kinds[:1], {"bool"})
        return common_kind(kinds[1:], "the values of a condition")
    if name == "coalesce":
        return common_kind(kinds, "the arguments of `coalesce`")
    return _kind_of_function(name, kinds)


def _kind_of_function(name: str, kinds: Sequence[ValueKind]) -> ValueKind:
    match name:
        case "is_missing":
            return "bool"
        case "float" | "int":
            return "float" if name == "float" else "int"
        case "str":
            return "string"
        case "bool":
            _require("bool", kinds, NUMBERS | {"bool"})
            return "bool"
        case _:
            is_function = name not in ARITHMETIC
            _require(f"{name}()" if is_function else name, kinds, NUMBERS)
            return "float"


def _require(name: str, kinds: Sequence[ValueKind], allowed: set[str] | frozenset[str]) -> None:
    for kind in kinds:
        if kind not in allowed:
            wanted = " or ".join(sorted(allowed))
            raise ExpressionError(f"`{name}` takes {wanted}, not {kind}: use a cast")
