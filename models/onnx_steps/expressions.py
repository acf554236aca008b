"""Expressions as nodes of ONNX, with the semantics of `processors.pipeline.evaluation`."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import cast

from modstream.models.errors import StepsNotServable
from modstream.models.onnx_steps.arithmetic import ARITHMETIC
from modstream.models.onnx_steps.writer import GraphValue, GraphWriter
from modstream.models.pipelines.expressions import (
    Constant,
    Constants,
    Expression,
    Operation,
)
from modstream.models.pipelines.kinds import common_kind, kind_of
from modstream.models.pipelines.references import Reference
from modstream.models.schema.columns import FeatureKind, Scalar

Columns = Mapping[str, GraphValue]
INT64_RANGE = range(-(2**63), 2**63)
TWO_63 = 2.0**63


def write_expression(writer: GraphWriter, expression: Expression, columns: Columns) -> GraphValue:
    """Write an expression of columns whose kinds fit it, and return its value.

    Raises:
        StepsNotServable: an operation has no form in ONNX.
    """
    match expression:
        case Constant(value=value):
            kind = cast(FeatureKind, kind_of(value))
            return GraphValue(writer.constant(value, kind), kind)
        case Reference(field=name):
            return columns[name]
        case Operation(name="in", arguments=(left, Constants(values=allowed))):
            return _member(writer, write_expression(writer, left, columns), allowed)
        case Operation(name=name, arguments=arguments):
            values = [write_expression(writer, one, columns) for one in arguments]
            if name in ARITHMETIC:
                return ARITHMETIC[name](writer, values)
            return _OPERATIONS[name](writer, values)
        case Constants():
            raise TypeError("constants are an argument of `in` only")


def _comparison(operator: str) -> Callable[[GraphWriter, Sequence[GraphValue]], GraphValue]:
    def write(writer: GraphWriter, values: Sequence[GraphValue]) -> GraphValue:
        left, right = values
        kind = common_kind([left.kind, right.kind], f"the sides of `{operator}`")
        sides = [writer.cast(one, kind) for one in values]
        if operator in {"Equal", "NotEqual"}:
            found = writer.equal(sides[0], sides[1], kind)
            found = found if operator == "Equal" else writer.op("Not", found)
        else:
            found = writer.op(operator, *sides)
        return GraphValue(found, "bool", *_masks(writer, values))

    return write


def _member(writer: GraphWriter, value: GraphValue, allowed: Sequence[Scalar]) -> GraphValue:
    """Write whether a value is one of some constants, which are compared exactly."""
    kind = cast(FeatureKind, value.kind)
    found = None
    for one in allowed:
        constant = _exact(one, kind)
        if constant is not None:
            same = writer.equal(value.data, writer.constant(constant, kind), kind)
            found = writer.either(found, same)
    if found is None:
        never = writer.constant(value=False, kind="bool")
        found = writer.op("And", never, writer.equal(value.data, value.data, kind))
    return GraphValue(found, "bool", value.missing, value.failed)


def _exact(value: Scalar, kind: FeatureKind) -> Scalar | None:
    """Return a constant as a kind; None if no value of that kind equals it."""
    if kind == "int" and isinstance(value, float):
        return int(value) if value.is_integer() and int(value) in INT64_RANGE else None
    if kind == "float" and type(value) is int:
        return float(value) if int(float(value)) == value else None
    return value


def _if(writer: GraphWriter, values: Sequence[GraphValue]) -> GraphValue:
    condition, body, other = values
    chosen = condition.data
    kind = common_kind([body.kind, other.kind], "the values of a condition")
    return GraphValue(
        writer.where(chosen, writer.cast(body, kind), writer.cast(other, kind), kind),
        kind,
        writer.either(condition.missing, writer.pick(chosen, body.missing, other.missing)),
        writer.either(condition.failed, writer.pick(chosen, body.failed, other.failed)),
    )


def _coalesce(writer: GraphWriter, values: Sequence[GraphValue]) -> GraphValue:
    kind = common_kind([one.kind for one in values], "the arguments of `coalesce`")
    found = values[0]._replace(data=writer.cast(values[0], kind), kind=kind)
    for other in values[1:]:
        if found.missing is None:
            break
        absent = writer.without(found.missing, found.failed) or found.missing
        found = GraphValue(
            writer.where(absent, writer.cast(other, kind), found.data, kind),
            kind,
            None if other.missing is None else writer.op("And", absent, other.missing),
            writer.either(
                found.failed,
                None if other.failed is None else writer.op("And", absent, other.failed),
            ),
        )
    return found


def _is_missing(writer: GraphWriter, values: Sequence[GraphValue]) -> GraphValue:
    (value,) = values
    missing = value.missing or writer.constant(value=False, kind="bool")
    return GraphValue(missing, "bool", None, value.failed)


def _not(writer: GraphWriter, values: Sequence[GraphValue]) -> GraphValue:
    return values[0]._replace(data=writer.op("Not", values[0].data))


def _to_float(writer: GraphWriter, values: Sequence[GraphValue]) -> GraphValue:
    (value,) = values
    _refuse_text(value, "float")
    return value._replace(data=writer.cast(value, "float"), kind="float")


def _to_int(writer: GraphWriter, values: Sequence[GraphValue]) -> GraphValue:
    (value,) = values
    _refuse_text(value, "int")
    if value.kind != "float":
        return value._replace(data=writer.cast(value, "int"), kind="int")
    low, high = writer.constant(-TWO_63, "float"), writer.constant(TWO_63, "float")
    fits = writer.op(
        "And", writer.op("GreaterOrEqual", value.data, low), writer.op("Less", value.data, high)
    )
    safe = writer.op("Where", fits, value.data, writer.constant(0.0, "float"))
    wrong = writer.without(writer.op("Not", fits), value.missing)
    whole = writer.cast(GraphValue(safe, "float"), "int")
    return GraphValue(whole, "int", value.missing, writer.either(value.failed, wrong))


def _to_bool(writer: GraphWriter, values: Sequence[GraphValue]) -> GraphValue:
    (value,) = values
    if value.kind == "bool":
        return value
    kind = cast(FeatureKind, value.kind)
    zero = writer.constant(0.0 if kind == "float" else 0, kind)
    return value._replace(data=writer.op("Not", writer.equal(value.data, zero, kind)), kind="bool")


def to_text(writer: GraphWriter, values: Sequence[GraphValue]) -> GraphValue:
    """Write integers, bools (`true`, `false`) or texts as texts.

    Raises:
        StepsNotServable: the value is a float.
    """
    (value,) = values
    if value.kind == "float":
        raise StepsNotServable("ONNX writes floats in another form than `str`: combine integers")
    if value.kind == "bool":
        words = [writer.constant(word, "string") for word in ("true", "false")]
        return value._replace(data=writer.op("Where", value.data, *words), kind="string")
    return value._replace(data=writer.cast(value, "string"), kind="string")


def _refuse_text(value: GraphValue, name: str) -> None:
    if value.kind == "string":
        raise StepsNotServable(
            f"`{name}` of a text: in ONNX, one text that is not a number ends the run of all rows"
        )


def _masks(writer: GraphWriter, values: Sequence[GraphValue]) -> tuple[str | None, str | None]:
    missing = writer.either(*(one.missing for one in values))
    return missing, writer.either(*(one.failed for one in values))


_OPERATIONS: Mapping[str, Callable[[GraphWriter, Sequence[GraphValue]], GraphValue]] = (
    MappingProxyType(
        {
            "==": _comparison("Equal"),
            "!=": _comparison("NotEqual"),
            "<": _comparison("Less"),
            "<=": _comparison("LessOrEqual"),
            ">": _comparison("Greater"),
            ">=": _comparison("GreaterOrEqual"),
            "not": _not,
            "if": _if,
            "coalesce": _coalesce,
            "is_missing": _is_missing,
            "float": _to_float,
            "int": _to_int,
            "str": to_text,
            "bool": _to_bool,
        }
    )
)
"""The function that writes each operation that is not arithmetic."""
