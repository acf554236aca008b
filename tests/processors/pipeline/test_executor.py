"""The steps of a pipeline on a batch: values, single bad rows, and what is recorded of steps."""

import json

import pytest

from modstream.models.errors import PredictError
from modstream.models.pipelines.pipeline import parse_pipeline
from modstream.processors.pipeline.executor import PipelineExecutor
from modstream.processors.pipeline.records import StepRecords
from tests.processors.pipeline_models import (
    FAILS_AT,
    PlainModel,
    make_card,
    make_models,
    resolver_of,
)

HEAD = 'name = "p"\n[request]\nx = "float"\ns = "string"\nm = { kind = "string", missing = true }\n'
TEXTS_IN = """
[steps.a]
model = "margin"
[steps.b]
transform = { y = "a.label + 1" }
[output]
y = "b.y"
"""
MAY_SKIP = """
[steps.a]
model = "fragile"
on_error = "skip"
[output]
y = { from = "a.value", default = 0 }
"""


def run(body, given_rows, models=None):
    text = HEAD + body
    pipeline = parse_pipeline(text.encode(), "p.toml")
    parsed = pipeline.definition.input_schema.parse_rows(given_rows)
    assert not parsed.errors
    resolve = resolver_of(make_models() if models is None else models)
    return PipelineExecutor(pipeline).run(parsed.batch, resolve)


def rows_of(*values, **fixed):
    return [{"x": float(value), "s": "DE", "m": None} | fixed for value in values]


def one(text, **row):
    """Return the value of an expression for one row, or None if its step fails."""
    body = f"[steps.t]\ntransform = {{ y = {json.dumps(text)} }}\n[output]\ny = 't.y'\n"
    result = run(body, rows_of(2) if not row else [{"x": 2.0, "s": "DE", "m": None} | row])
    return None if result.failures else result.outputs[0]["y"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("request.x * 3 + 1", 7.0),
        ("7 // request.x", 3.0),
        ("-7 % request.x", 1.0),
        ("request.x ** 3", 8.0),
        ("-request.x", -2.0),
        ("min(request.x, 5, 1)", 1.0),
        ("max(request.x, 5, 1)", 5.0),
        ("clip(request.x, 3, 4)", 3.0),
        ("round(2.5) + floor(1.7) + ceil(0.2) + abs(-1)", 5.0),
        ("log(exp(request.x))", 2.0),
        ("request.s == 'DE'", True),
        ("request.s not in ('FR', 'US')", True),
        ("request.x in (1, 2)", True),
        ("not (request.x > 1)", False),
        ("'big' if request.x > 1 else 'small'", "big"),
        ("str(int(request.x)) == '2'", True),
        ("str(request.x > 1)", "true"),
        ("int('12') + float('0.5')", 12.5),
        ("int(-2.7)", -2),
        ("bool(request.x)", True),
        ("coalesce(request.m, 'none')", "none"),
        ("is_missing(request.m)", True),
        ("request.x if request.x > 0 else 1 / 0", 2.0),
        ("request.x == 0 or 1 / request.x > 0.4", True),
        ("5", 5),
        # no result
        ("1 / (request.x - 2)", None),
        ("1 / (request.x - 2) > 3", None),
        ("request.x % 0", None),
        ("(-request.x) ** 0.5", None),
        ("log(0)", None),
        ("exp(1000)", None),
        ("int(exp(100))", None),
        ("int('x')", None),
        ("float('inf')", None),
        ("int('9' if request.x > 9 else '99999999999999999999')", None),
    ],
)  # fmt: skip
def test_an_expression_has_the_value_that_python_gives_or_fails(text, expected):
    found = one(text)

    assert found == expected
    assert type(found) is type(expected)


def test_lookups_and_bins_have_a_value_for_every_key_or_fail_where_they_do_not():
    body = """
[steps.t]
on_error = "skip"
transform.zone = { lookup = "request.s", table = { DE = "EU", US = "NA" } }
[steps.u]
transform.zone = { lookup = "request.s", table = { DE = 1, US = 2 }, default = 0 }
transform.size = { bin = "request.x", edges = [0, 10], labels = ["below", "small", "large"] }
transform.number = { bin = "request.x", edges = [0, 10] }
transform.parity = { lookup = "int(request.x) % 2 == 0", table = { true = "even", false = "odd" } }
[output]
zone = { from = "t.zone", default = "?" }
number = "u.number"
other = "u.zone"
size = "u.size"
parity = "u.parity"
"""
    given_rows = [{"x": x, "s": s} for x, s in [(-1.0, "DE"), (0.0, "US"), (10.0, "FR")]]

    outputs = run(body, given_rows).outputs

    assert [list(one.values()) for one in outputs] == [
        ["EU", 0, 1, "below", "odd"],
        ["NA", 1, 2, "small", "even"],
        ["?", 2, 0, "large", "even"],
    ]


def test_every_form_of_a_models_outputs_can_be_taken():
    body = """
[steps.a]
model = "species"
[steps.b]
model = "margin"
[steps.c]
model = "risk"
[output]
label = "a.label"
all = "a.probabilities"
setosa = "a.probabilities.setosa"
yes = "b.label"
margin = "b.margin"
risk = "c.probability"
"""
    assert run(body, rows_of(2, 0)).outputs[1] == {
        "label": "virginica",
        "all": {"setosa": 0.0, "virginica": 1.0},
        "setosa": 0.0,
        "yes": "no",
        "margin": 0.0,
        "risk": 0.5,
    }


def test_a_failing_row_costs_no_other_row_its_answer():
    body = '[steps.a]\nmodel = "fragile"\n[output]\ny = "a.value"\n'
    models = make_models()
    values = [1.0] * 30 + [FAILS_AT] + [2.0] * 33

    result = run(body, rows_of(*values), models)

    assert list(result.failures) == [30]
    assert "13.0 fails" in result.failures[30].cause
    assert [one["y"] for at, one in enumerate(result.outputs) if at != 30] == [2.0] * 30 + [
        3.0
    ] * 33
    assert len(models["fragile"].calls) <= 2 * 7 - 1  # a bisection, not row by row


def test_a_condition_asks_the_model_only_for_the_rows_that_it_holds_for():
    body = """
[steps.a]
model = "fragile"
when = "request.x > 0"
[steps.b]
any = ["a.value", "request.x"]
[output]
y = "b.value"
from = "b.source"
"""
    models = make_models()

    outputs = run(body, rows_of(-1, 5, -2, FAILS_AT - 1), models).outputs

    assert models["fragile"].calls == [2]
    assert [(one["y"], one["from"]) for one in outputs] == [
        (-1.0, "request.x"), (6.0, "a.value"), (-2.0, "request.x"), (13.0, "a.value"),
    ]  # fmt: skip


def test_a_vote_counts_weights_and_a_tie_goes_to_the_first_member():
    body = """
[steps.a]
model = "margin"
[steps.b]
transform = { y = "'no'" }
[steps.even]
ensemble = "vote"
members = ["a.label", "b.y"]
[steps.heavy]
ensemble = "vote"
members = ["a.label", "b.y"]
weights = [1, 3]
[output]
even = "even.label"
heavy = "heavy.label"
share = "heavy.share"
"""
    outputs = run(body, rows_of(1, -1)).outputs

    assert outputs[0] == {"even": "yes", "heavy": "no", "share": 0.75}
    assert outputs[1] == {"even": "no", "heavy": "no", "share": 1.0}


def test_a_shadow_step_is_recorded_and_can_fail_no_row():
    body = """
[steps.a]
model = "lenient"
[steps.b]
model = "fragile"
shadow = true
[output]
y = "a.value"
"""
    result = run(body, rows_of(1, FAILS_AT))

    assert result.failures == {}
    assert [one["y"] for one in result.outputs] == [1.0, FAILS_AT]
    both, single = (
        StepRecords(result).of(0, 2, is_row=False),
        StepRecords(result).of(1, 2, is_row=True),
    )
    assert (both[1].outcome, both[1].outputs) == ("mixed", ({"value": 2.0}, {}))
    assert (single[1].outcome, single[1].outputs) == ("failed", {})
    assert "13.0 fails" in single[1].reason
    assert both[0].outputs is None


def test_a_model_that_cannot_be_had_fails_its_step_with_its_own_code():
    body = '[steps.a]\nmodel = "absent"\n{}\n[output]\ny = {{ from = "a.value", default = 0 }}\n'

    failing = run(body.format(""), rows_of(1))
    skipping = run(body.format('on_error = "skip"'), rows_of(1))

    refusal = failing.failures[0].refusal("p", 3)
    assert refusal.code == "unknown_model"
    assert str(refusal) == "pipeline p: step a: model absent has no version or alias champion"
    assert skipping.outputs == [{"y": 0.0}]


@pytest.mark.parametrize(
    ("card", "function", "complaint"),
    [
        (make_card("fragile", ["x", "z"]), lambda c: c["x"], "version 1 needs the feature z"),
        (make_card("fragile", task="binary"), lambda c: c["x"], "has no output value"),
        (make_card("fragile", ["x"], "forecast"), lambda c: c["x"], "cannot be a step"),
        (make_card("fragile", ["s"]), lambda c: c["s"], "value is of another kind"),
    ],
)
def test_a_newer_version_that_does_not_fit_fails_its_step_and_says_why(card, function, complaint):
    body = '[steps.a]\nmodel = "fragile"\n[output]\ny = "a.value"\n'

    result = run(body, rows_of(1, 2), {"fragile": PlainModel(card, function)})

    assert complaint in str(result.failures[0].cause)
    assert result.failures.keys() == {0, 1}


def test_an_expression_whose_values_have_become_texts_fails_its_step():
    result = run(TEXTS_IN, rows_of(1))

    assert str(result.failures[0].refusal("p", 1)) == "pipeline p: step b: `+` takes numbers"


def test_rows_of_a_request_share_records_only_while_nothing_special_happens():
    usual, special = run(MAY_SKIP, rows_of(1, 2)), run(MAY_SKIP, rows_of(1, FAILS_AT))

    first, second = (StepRecords(usual).of(at, at + 1, is_row=True) for at in (0, 1))
    mixed = StepRecords(special).of(0, 2, is_row=False)

    assert [one.model_dump(exclude={"milliseconds"}, exclude_none=True) for one in first] == [
        {"name": "a", "model": "fragile", "version": 1, "outcome": "ok"}
    ]
    assert first == second
    assert mixed[0].outcome == "mixed"


def test_a_model_that_fails_on_every_row_leaves_none():
    def fail(_columns):
        raise PredictError("fragile", "broken")

    body = '[steps.a]\nmodel = "fragile"\n[output]\ny = "a.value"\n'

    result = run(body, rows_of(1, 2, 3), {"fragile": PlainModel(make_card("fragile"), fail)})

    assert result.failures.keys() == {0, 1, 2}
