"""Expressions compiled to functions of columns, which are composed once and run for each batch.

An operation on a missing value has none. An operation that has no finite result fails in its row,
even if the result would only be compared: nothing is computed with NaN or infinity. Of
`a if c else b`, only the chosen value counts in a row; `and` and `or` are such expressions.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from modstream.models.pipelines.expressions import (
    Constant,
    Constants,
    Expression,
    Operation,
)
from modstream.models.pipelines.references import Reference
from modstream.processors.errors import StepUnusable
from modstream.processors.pipeline.casts import to_bool, to_float, to_int, to_text
from modstream.processors.pipeline.values import (
    Column,
    Mask,
    Value,
    constant,
    either,
    is_nowhere,
)


class Values(Protocol):
    """What the references of a pipeline stand for in a batch."""

    def value(self, reference: Reference) -> Value:
        """Return the value of each row."""


Evaluate = Callable[[Values], Value]


def compile_expression(expression: Expression) -> Evaluate:
    """Return a function that computes an expression of a batch's values.

    It raises `StepUnusable` if the kinds of values do not fit, as those of a newer model version.
    """
    match expression:
        case Constant(value=value):
            fixed = constant(value)
            return lambda _: fixed
        case Reference():
            return lambda values: values.value(expression)
        case Constants():
            raise TypeError("constants are an argument of `in` only")
        case Operation(name="in", arguments=(left, Constants(values=allowed))):
            evaluate, is_in = compile_expression(left), _membership(allowed)
            return lambda values: is_in(evaluate(values))
        case Operation(name=name, arguments=arguments):
            parts = [compile_expression(one) for one in arguments]
            apply = OPERATIONS[name]
            return lambda values: apply([part(values) for part in parts])


def _numbers(value: Value, name: str) -> Column:
    """Return a value as floats."""
    if value.data.dtype.kind in "if":
        return value.data.astype(np.float64, copy=False)
    if is_nowhere(value):
        return np.zeros(value.data.shape)
    raise StepUnusable(f"`{name}` takes numbers")


def _arithmetic(name: str, function: Callable[..., Column]) -> Callable[[Sequence[Value]], Value]:
    def apply(values: Sequence[Value]) -> Value:
        data = function(*(_numbers(value, name) for value in values))
        missing = either(*(value.missing for value in values))
        failed = either(*(value.failed for value in values))
        finite = np.isfinite(data)
        if not finite.all():
            wrong = ~finite if missing is None else ~finite & ~missing
            failed = either(failed, np.asarray(wrong))
        return Value(np.asarray(data), missing, failed)

    return apply


def _comparison(name: str, function: Callable[..., Column]) -> Callable[[Sequence[Value]], Value]:
    def apply(values: Sequence[Value]) -> Value:
        left, right = values
        missing, failed = either(left.missing, right.missing), either(left.failed, right.failed)
        kinds = {value.data.dtype.kind for value in values}
        if is_nowhere(left) or is_nowhere(right):
            return Value(
                np.zeros(np.broadcast(left.data, right.data).shape, np.bool_), missing, failed
            )
        is_equality = name in {"==", "!="}
        if not kinds <= {"i", "f"} and not (is_equality and len(kinds) == 1):
            raise StepUnusable(f"the sides of `{name}` do not compare")
        return Value(np.asarray(function(left.data, right.data), np.bool_), missing, failed)

    return apply


def _membership(allowed: Sequence[Any]) -> Callable[[Value], Value]:
    is_text, is_bool = isinstance(allowed[0], str), isinstance(allowed[0], bool)
    kinds = "O" if is_text else "b" if is_bool else "if"
    values = frozenset(allowed)

    def apply(value: Value) -> Value:
        if not is_nowhere(value) and value.data.dtype.kind not in kinds:
            raise StepUnusable("the sides of `in` do not compare")
        found = _each(value.data, values.__contains__, np.bool_)
        return Value(found, value.missing, value.failed)

    return apply


def _each(data: Column, function: Callable[[Any], Any], dtype: Any) -> Column:  # noqa: ANN401
    """Apply a function of one Python value to each."""
    found = np.empty(data.shape, dtype)
    found[...] = [function(one) for one in data.tolist()] if data.ndim else function(data.item())
    return found


def _booleans(value: Value, what: str) -> Mask:
    if value.data.dtype.kind == "b":
        return value.data
    if is_nowhere(value):
        return np.zeros(value.data.shape, np.bool_)
    raise StepUnusable(f"{what} must be true or false")


def _not(values: Sequence[Value]) -> Value:
    return values[0]._replace(data=np.asarray(~_booleans(values[0], "what follows `not`")))


def _if(values: Sequence[Value]) -> Value:
    condition, body, other = values
    chosen = _booleans(condition, "a condition")
    missing = either(condition.missing, _pick(chosen, body.missing, other.missing))
    failed = either(condition.failed, _pick(chosen, body.failed, other.failed))
    return Value(_merge(chosen, body, other), missing, failed)


def _pick(chosen: Mask, first: Mask | None, second: Mask | None) -> Mask | None:
    if first is None and second is None:
        return None
    return np.asarray(
        np.where(chosen, False if first is None else first, False if second is None else second)
    )


def _merge(chosen: Mask, first: Value, second: Value) -> Column:
    """Return the data of one value where chosen, and that of another one elsewhere."""
    kinds = {first.data.dtype.kind, second.data.dtype.kind}
    if len(kinds) > 1 and not kinds <= {"i", "f"}:
        if is_nowhere(second):
            return np.broadcast_to(first.data, np.broadcast(chosen, first.data).shape)
        if is_nowhere(first):
            return np.broadcast_to(second.data, np.broadcast(chosen, second.data).shape)
        raise StepUnusable("values of several kinds cannot stand for each other")
    return np.asarray(np.where(chosen, first.data, second.data))


def coalesce(values: Sequence[Value]) -> Value:
    """Return the first of several values that each row has."""
    found = values[0]
    for other in values[1:]:
        if found.missing is None:
            break
        absent = found.missing if found.failed is None else found.missing & ~found.failed
        found = Value(
            _merge(~absent, found, other),
            None if other.missing is None else absent & other.missing,
            either(found.failed, None if other.failed is None else absent & other.failed),
        )
    kinds = {value.data.dtype.kind for value in values}
    is_widened = kinds == {"i", "f"} and found.data.dtype.kind == "i"
    return found._replace(data=found.data.astype(np.float64)) if is_widened else found


def _is_missing(values: Sequence[Value]) -> Value:
    (value,) = values
    missing = np.zeros(value.data.shape, np.bool_) if value.missing is None else value.missing
    return Value(missing, None, value.failed)


OPERATIONS: Mapping[str, Callable[[Sequence[Value]], Value]] = MappingProxyType(
    {
        "+": _arithmetic("+", np.add),
        "-": _arithmetic("-", np.subtract),
        "*": _arithmetic("*", np.multiply),
        "/": _arithmetic("/", np.divide),
        "//": _arithmetic("//", np.floor_divide),
        "%": _arithmetic("%", np.mod),
        "**": _arithmetic("**", np.power),
        "negate": _arithmetic("-", np.negative),
        "abs": _arithmetic("abs", np.abs),
        "round": _arithmetic("round", np.round),
        "floor": _arithmetic("floor", np.floor),
        "ceil": _arithmetic("ceil", np.ceil),
        "sqrt": _arithmetic("sqrt", np.sqrt),
        "log": _arithmetic("log", np.log),
        "exp": _arithmetic("exp", np.exp),
        "min": _arithmetic("min", lambda *all_: np.minimum.reduce(np.broadcast_arrays(*all_))),
        "max": _arithmetic("max", lambda *all_: np.maximum.reduce(np.broadcast_arrays(*all_))),
        "clip": _arithmetic("clip", lambda x, low, high: np.minimum(np.maximum(x, low), high)),
        "==": _comparison("==", np.equal),
        "!=": _comparison("!=", np.not_equal),
        "<": _comparison("<", np.less),
        "<=": _comparison("<=", np.less_equal),
        ">": _comparison(">", np.greater),
        ">=": _comparison(">=", np.greater_equal),
        "not": _not,
        "if": _if,
        "coalesce": coalesce,
        "is_missing": _is_missing,
        "float": to_float,
        "int": to_int,
        "str": to_text,
        "bool": to_bool,
    }
)
"""How each operation computes its value from those of its arguments."""
