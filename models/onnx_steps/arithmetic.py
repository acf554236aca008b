"""Arithmetic of expressions as nodes of ONNX, in float64; what is not finite fails in its row."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from modstream.models.onnx_steps.writer import GraphValue, GraphWriter

Write = Callable[[GraphWriter, Sequence[GraphValue]], GraphValue]


def _function(write: Callable[..., str], *, may_fail: bool = True) -> Write:
    """Return an operation; without `may_fail`, finite arguments have finite results."""

    def apply(writer: GraphWriter, values: Sequence[GraphValue]) -> GraphValue:
        data = write(writer, *(writer.cast(one, "float") for one in values))
        missing = writer.either(*(one.missing for one in values))
        failed = writer.either(*(one.failed for one in values))
        if may_fail:
            failed = writer.either(failed, writer.without(writer.not_finite(data), missing))
        return GraphValue(data, "float", missing, failed)

    return apply


def _operator(name: str, *, may_fail: bool = True) -> Write:
    return _function(lambda writer, *inputs: writer.op(name, *inputs), may_fail=may_fail)


def _clip(writer: GraphWriter, value: str, low: str, high: str) -> str:
    return writer.op("Min", writer.op("Max", value, low), high)


def _mod(writer: GraphWriter, left: str, right: str) -> str:
    """Return the remainder with the sign of the divisor, as numpy computes it."""
    rest, is_moved = _remainder(writer, left, right)
    return writer.op("Where", is_moved, writer.op("Add", rest, right), rest)


def _floor_divide(writer: GraphWriter, left: str, right: str) -> str:
    """Return the quotient of what remains without the remainder, as numpy computes it."""
    rest, is_moved = _remainder(writer, left, right)
    one = writer.constant(1.0, "float")
    quotient = writer.op("Div", writer.op("Sub", left, rest), right)
    quotient = writer.op("Where", is_moved, writer.op("Sub", quotient, one), quotient)
    whole = writer.op("Floor", quotient)
    half = writer.constant(0.5, "float")
    is_beyond = writer.op("Greater", writer.op("Sub", quotient, whole), half)
    found = writer.op("Where", is_beyond, writer.op("Add", whole, one), whole)
    is_zero = writer.op("Equal", right, writer.constant(0.0, "float"))
    return writer.op("Where", is_zero, writer.op("Div", left, right), found)


def _remainder(writer: GraphWriter, left: str, right: str) -> tuple[str, str]:
    """Return the remainder with the sign of `left`, and where the divisor has the other sign."""
    zero = writer.constant(0.0, "float")
    rest = writer.op("Mod", left, right, fmod=1)
    has_other = writer.op("Xor", writer.op("Less", right, zero), writer.op("Less", rest, zero))
    is_nothing = writer.op("Equal", rest, zero)
    return rest, writer.op("And", has_other, writer.op("Not", is_nothing))


ARITHMETIC: Mapping[str, Write] = MappingProxyType(
    {
        "+": _operator("Add"),
        "-": _operator("Sub"),
        "*": _operator("Mul"),
        "/": _operator("Div"),
        "//": _function(_floor_divide),
        "%": _function(_mod),
        "**": _operator("Pow"),
        "negate": _operator("Neg", may_fail=False),
        "abs": _operator("Abs", may_fail=False),
        "round": _operator("Round", may_fail=False),
        "floor": _operator("Floor", may_fail=False),
        "ceil": _operator("Ceil", may_fail=False),
        "sqrt": _operator("Sqrt"),
        "log": _operator("Log"),
        "exp": _operator("Exp"),
        "min": _operator("Min", may_fail=False),
        "max": _operator("Max", may_fail=False),
        "clip": _function(_clip, may_fail=False),
    }
)
"""How each operation of numbers is written."""
