"""Expressions: what the grammar has, and that nothing else gets in."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.models.pipelines.expressions import (
    Constant,
    ExpressionError,
    Operation,
    parse_expression,
    references,
)
from modstream.models.pipelines.kinds import ValueType, type_of
from modstream.models.pipelines.references import Reference

TYPES = {
    "f": ValueType("float"),
    "i": ValueType("int"),
    "b": ValueType("bool"),
    "s": ValueType("string"),
    "m": ValueType("mapping"),
    "maybe": ValueType("float", may_miss=True),
}


def kind(text):
    return type_of(parse_expression(text), lambda one: TYPES[one.field])


def test_references_have_a_source_and_a_field_of_any_name():
    names = {"x": Reference("request", "the x")}
    text = 'first.probability + species.probabilities["a b"] + request["my x"] + x'

    found = list(references(parse_expression(text, names)))

    assert found == [
        ("first", "probability"),
        ("species", "probabilities.a b"),
        ("request", "my x"),
        ("request", "the x"),
    ]


def test_and_and_or_leave_out_the_side_that_does_not_count():
    left, right = Reference("r", "a"), Reference("r", "b")

    assert parse_expression("r.a and r.b") == Operation("if", (left, right, Constant(value=False)))
    assert parse_expression("r.a or r.b") == Operation("if", (left, Constant(value=True), right))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("__import__('os').system('ls')", "there is no function"),
        ("request.x.__class__()", "there is no function"),
        ("(lambda: 1)()", "there is no function"),
        ("[x for x in request.a]", "not allowed"),
        ("{'a': 1}", "not allowed"),
        ("f'{request.a}'", "not allowed"),
        ("(a := 1)", "not allowed"),
        ("request.a @ request.b", "not allowed"),
        ("+request.a", "not allowed"),
        ("~request.a", "not allowed"),
        ("request.a is request.b", "not allowed"),
        ("request.a[0:1]", "no reference"),
        ("abs(*request.a)", "not allowed"),
        ("clip(request.a, 1)", "takes 3 arguments"),
        ("abs(x=1)", "without names"),
        ("0 < request.a < 1", "write `a < b and b < c`"),
        ("request.a in request.b", "constants in parentheses"),
        ("request.a in (request.b,)", "only constants"),
        ("a + 1", "write `request.a`"),
        ("1 +", "is no expression"),
        ("1 " + "+ 1" * 1000, "at most 1000 characters"),
        ("not " * 100 + "request.a", "nested too deeply"),
        ("1 or " * 100 + "1", "too many conditions"),
        ("1e999", "no number"),
        (str(2**64), "no number"),
        ("None", "no number"),
        ("b'x'", "no number"),
        ("\0", "no expression"),
    ],
)
def test_everything_outside_the_grammar_is_refused(text, complaint):
    with pytest.raises(ExpressionError, match=complaint):
        parse_expression(text)


@pytest.mark.slow
@given(
    st.text(max_size=60) | st.text("requst.abx01+-*/%<>=()[]'\", if else and not in", max_size=60)
)
def test_any_text_is_parsed_or_refused_with_the_one_error(text):
    try:
        parse_expression(text)
    except ExpressionError:
        return
    ast.parse(text.strip(), mode="eval")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r.i + r.i", ("float", False)),
        ("r.f > 1 and r.i == 2", ("bool", False)),
        ("r.s == 'a'", ("bool", False)),
        ("r.s in ('a', 'b')", ("bool", False)),
        ("r.f if r.b else r.i", ("float", False)),
        ("int(r.f)", ("int", False)),
        ("str(r.i)", ("string", False)),
        ("r.maybe + 1", ("float", True)),
        ("coalesce(r.maybe, 0)", ("float", False)),
        ("is_missing(r.maybe)", ("bool", False)),
    ],
)
def test_the_kind_of_a_value_is_known_in_advance(text, expected):
    assert kind(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("r.s + 1", "takes float or int, not string"),
        ("r.b * 2", "not bool"),
        ("r.s == 1", "at once"),
        ("r.s < 'a'", "not string"),
        ("not r.f", "takes bool"),
        ("r.f if r.f else 1", "a condition"),
        ("coalesce(r.s, 0)", "at once"),
        ("r.m + 1", "no mapping"),
        ("bool(r.s)", "not string"),
        ("r.s in (1, 2)", "at once"),
    ],
)
def test_kinds_that_do_not_fit_are_refused_with_a_remedy(text, complaint):
    with pytest.raises(ExpressionError, match=complaint):
        kind(text)
