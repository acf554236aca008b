"""Expressions of pipelines: parsed into trees of few operations; no code is ever run.

The grammar is a small part of Python's: numbers, texts, references, arithmetic, comparisons, `in`
with a tuple, `and`, `or`, `not`, `a if b else c`, and the functions in `FUNCTIONS`.
"""

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from modstream.models.pipelines.references import Reference
from modstream.models.schema.columns import Scalar

MAX_EXPRESSION_LENGTH = 1000
MAX_DEPTH = 50
INT64 = range(-(2**63), 2**63)

FUNCTIONS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "abs": (1, 1), "round": (1, 1), "floor": (1, 1), "ceil": (1, 1),
        "sqrt": (1, 1), "log": (1, 1), "exp": (1, 1),
        "min": (2, 100), "max": (2, 100), "clip": (3, 3),
        "coalesce": (2, 100), "is_missing": (1, 1),
        "float": (1, 1), "int": (1, 1), "str": (1, 1), "bool": (1, 1),
    }
)  # fmt: skip
"""The functions of expressions, with the least and the largest number of their arguments."""
_BINARY: Mapping[type, str] = MappingProxyType(
    {
        ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//",
        ast.Mod: "%", ast.Pow: "**",
    }
)  # fmt: skip
_COMPARISONS: Mapping[type, str] = MappingProxyType(
    {
        ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
        ast.In: "in", ast.NotIn: "not in",
    }
)  # fmt: skip
ARITHMETIC = frozenset(_BINARY.values())
COMPARISONS = frozenset(_COMPARISONS.values())


class ExpressionError(ValueError):
    """A text is no expression, or its parts do not fit together."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a text or a bool."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Constants:
    """The constants that `in` compares with."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator or a function with its arguments; `if` has condition, value, other value."""

    name: str
    arguments: tuple["Expression", ...]


Expression = Constant | Constants | Reference | Operation


def parse_expression(text: str, names: Mapping[str, Reference] | None = None) -> Expression:
    """Parse an expression; `names` are short names of references.

    Raises:
        ExpressionError: the text is no expression of the grammar.
    """
    if len(text) > MAX_EXPRESSION_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_EXPRESSION_LENGTH} characters")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ExpressionError(f"{text!r} is no expression: {reason}") from None
    return _Parser(names or {}).parse(tree, MAX_DEPTH)


def references(expression: Expression) -> Iterator[Reference]:
    """Yield the references of an expression, in their order."""
    if isinstance(expression, Reference):
        yield expression
    elif isinstance(expression, Operation):
        for argument in expression.arguments:
            yield from references(argument)


@dataclass(frozen=True, slots=True)
class _Parser:
    names: Mapping[str, Reference]

    def parse(self, node: ast.expr, depth: int) -> Expression:
        """Return the tree of a node; `depth` is how many levels it may have."""
        if not depth:
            raise ExpressionError("the expression is nested too deeply: use several steps")
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise ExpressionError(f"`{ast.unparse(node)}` is not allowed in expressions")
        return handler(self, node, depth)

    def constant(self, node: Any, _depth: int) -> Constant:  # noqa: ANN401 - a kind of node
        """Return a constant."""
        return Constant(_constant(node.value))

    def unary(self, node: Any, depth: int) -> Expression:  # noqa: ANN401 - a kind of node
        """Return a negation of a number or of a bool."""
        operand = self.parse(node.operand, depth - 1)
        if isinstance(node.op, ast.Not):
            return Operation("not", (operand,))
        if not isinstance(node.op, ast.USub):
            raise ExpressionError(f"`{ast.unparse(node)}` is not allowed in expressions")
        if isinstance(operand, Constant) and type(operand.value) in {int, float}:
            return Constant(_constant(-operand.value))  # type: ignore[operator]  # a number
        return Operation("negate", (operand,))

    def binary(self, node: Any, depth: int) -> Expression:  # noqa: ANN401 - a kind of node
        """Return an arithmetic operation."""
        name = _BINARY.get(type(node.op))
        if name is None:
            raise ExpressionError(f"`{ast.unparse(node)}` is not allowed in expressions")
        return self._operation(name, [node.left, node.right], depth)

    def conditional(self, node: Any, depth: int) -> Expression:  # noqa: ANN401 - a kind of node
        """Return `a if c else b` with the condition first."""
        return self._operation("if", [node.test, node.body, node.orelse], depth)

    def _operation(self, name: str, nodes: list[ast.expr], depth: int) -> Operation:
        return Operation(name, tuple(self.parse(node, depth - 1) for node in nodes))

    def logic(self, node: Any, depth: int) -> Expression:  # noqa: ANN401 - a kind of node
        """Return `and` and `or` as conditional expressions: the right side may not count."""
        if len(node.values) > MAX_DEPTH:
            raise ExpressionError("too many conditions for one expression: use several steps")
        found = self.parse(node.values[-1], depth - 1)
        for one in reversed(node.values[:-1]):
            left = self.parse(one, depth - 1)
            if isinstance(node.op, ast.And):
                found = Operation("if", (left, found, Constant(value=False)))
            else:
                found = Operation("if", (left, Constant(value=True), found))
        return found

    def comparison(self, node: Any, depth: int) -> Expression:  # noqa: ANN401 - a kind of node
        """Return a comparison of two values, or of a value with constants."""
        if len(node.ops) > 1:
            raise ExpressionError("write `a < b and b < c` instead of `a < b < c`")
        name, right = _COMPARISONS.get(type(node.ops[0])), node.comparators[0]
        if name is None:
            raise ExpressionError(f"`{ast.unparse(node)}` is not allowed in expressions")
        left = self.parse(node.left, depth - 1)
        if name not in {"in", "not in"}:
            return Operation(name, (left, self.parse(right, depth - 1)))
        if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
            raise ExpressionError("write constants in parentheses after `in`: `x in ('a', 'b')`")
        values = [self.parse(one, depth - 1) for one in right.elts]
        constants = tuple(one.value for one in values if isinstance(one, Constant))
        if len(constants) < len(values):
            raise ExpressionError("only constants can stand in the parentheses after `in`")
        found = Operation("in", (left, Constants(constants)))
        return found if name == "in" else Operation("not", (found,))

    def call(self, node: Any, depth: int) -> Expression:  # noqa: ANN401 - a kind of node
        """Return the call of a function."""
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            raise ExpressionError(
                f"there is no function `{ast.unparse(node.func)}`:"
                f" the functions are {', '.join(FUNCTIONS)}"
            )
        name, (least, most) = node.func.id, FUNCTIONS[node.func.id]
        if node.keywords or not least <= len(node.args) <= most:
            count = f"{least}" if least == most else f"at least {least}"
            raise ExpressionError(
                f"`{name}` takes {count} argument{'s' * (most > 1)} without names"
            )
        return self._operation(name, node.args, depth)

    def reference(self, node: Any, _depth: int) -> Reference:  # noqa: ANN401 - a kind of node
        """Return `source.field`, `source["field"]`, or what a short name stands for."""
        parts: list[str] = []
        current = node
        while not isinstance(current, ast.Name):
            if isinstance(current, ast.Attribute):
                parts.append(current.attr)
                current = current.value
                continue
            if isinstance(current, ast.Subscript) and isinstance(current.slice, ast.Constant):
                parts.append(str(current.slice.value))
                current = current.value
                continue
            raise ExpressionError(f"`{ast.unparse(node)}` is no reference")
        if parts:
            return Reference(current.id, ".".join(reversed(parts)))
        if current.id not in self.names:
            known = f"; the inputs are {', '.join(self.names)}" if self.names else ""
            raise ExpressionError(
                f"`{current.id}` is unknown: write `request.{current.id}`, or the output of a step"
                f" as `step.output`{known}"
            )
        return self.names[current.id]


_HANDLERS: Mapping[type, Callable[[_Parser, Any, int], Expression]] = MappingProxyType(
    {
        ast.Constant: _Parser.constant,
        ast.Name: _Parser.reference,
        ast.Attribute: _Parser.reference,
        ast.Subscript: _Parser.reference,
        ast.UnaryOp: _Parser.unary,
        ast.BinOp: _Parser.binary,
        ast.BoolOp: _Parser.logic,
        ast.Compare: _Parser.comparison,
        ast.IfExp: _Parser.conditional,
        ast.Call: _Parser.call,
    }
)
"""How each kind of node that the grammar has is parsed."""


def _constant(value: object) -> Scalar:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and value in INT64:
        return value
    raise ExpressionError(f"`{value!r}` is no number, text or bool that expressions can have")
