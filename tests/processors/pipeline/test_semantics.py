"""What becomes of rows whose inputs are missing, fail or are repeated, for every kind of join."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.models.pipelines.pipeline import parse_pipeline
from modstream.processors.pipeline.executor import PipelineExecutor
from modstream.processors.pipeline.records import StepRecords
from tests.processors.pipeline.generated import check_agreement, documents, rows
from tests.processors.pipeline_models import FAILS_AT, make_models, resolver_of

FIRST = """
name = "p"
[request]
a = "float"
b = "float"
[steps.first]
model = "fragile"
inputs = {{ x = "request.a" }}
{policy}
[steps.second]
{second}
[output]
answer = {{ from = "second.value", default = -5 }}
"""
INNER = 'model = "total"\ninputs = { x = "first.value", y = "request.b" }'
OUTER = 'transform = { value = "coalesce(first.value, 0) + request.b" }\njoin = "outer"'
AVERAGE = 'ensemble = "average"\nmembers = ["first.value", "request.b"]'
ANY = 'any = ["first.value", "request.b"]'
REPEATED = 'model = "total"\ninputs = { x = "first.value", y = "first.value" }'
MISSING = 'when = "request.a < 0"'
FAIL, SKIP = "", 'on_error = "skip"'
DEFAULT = 'on_error = "default"\ndefault = { value = 100 }'
FAILED = "step first"
TABLE = [
    # join, what happens to `first`, a, the answer with b = 10, the outcomes of first and second
    ("inner", INNER, FAIL, 1, 12, ["ok", "ok"]),
    ("inner", INNER, MISSING, 1, -5, ["skipped", "skipped"]),
    ("inner", INNER, FAIL, FAILS_AT, FAILED, ["failed", "skipped"]),
    ("inner", INNER, SKIP, FAILS_AT, -5, ["failed", "skipped"]),
    ("inner", INNER, DEFAULT, FAILS_AT, 110, ["default", "ok"]),
    ("inner", REPEATED, FAIL, 1, 4, ["ok", "ok"]),
    ("outer", OUTER, FAIL, 1, 12, ["ok", "ok"]),
    ("outer", OUTER, MISSING, 1, 10, ["skipped", "ok"]),
    ("outer", OUTER, FAIL, FAILS_AT, FAILED, ["failed", "skipped"]),
    ("outer", OUTER, SKIP, FAILS_AT, 10, ["failed", "ok"]),
    ("outer", OUTER, DEFAULT, FAILS_AT, 110, ["default", "ok"]),
    ("outer of members", AVERAGE, FAIL, 1, 6, ["ok", "ok"]),
    ("outer of members", AVERAGE, MISSING, 1, 10, ["skipped", "ok"]),
    ("outer of members", AVERAGE, FAIL, FAILS_AT, FAILED, ["failed", "skipped"]),
    ("outer of members", AVERAGE, SKIP, FAILS_AT, 10, ["failed", "ok"]),
    ("outer of members", AVERAGE, DEFAULT, FAILS_AT, 55, ["default", "ok"]),
    ("any", ANY, FAIL, 1, 2, ["ok", "ok"]),
    ("any", ANY, MISSING, 1, 10, ["skipped", "ok"]),
    ("any", ANY, FAIL, FAILS_AT, FAILED, ["failed", "skipped"]),
    ("any", ANY, SKIP, FAILS_AT, 10, ["failed", "ok"]),
    ("any", ANY, DEFAULT, FAILS_AT, 100, ["default", "ok"]),
]


@pytest.mark.parametrize(("join", "second", "policy", "a", "answer", "outcomes"), TABLE)
def test_a_missing_or_failing_input_has_the_effect_that_the_table_says(
    join, second, policy, a, answer, outcomes
):
    text = FIRST.format(second=second, policy=policy)
    pipeline = parse_pipeline(text.encode(), "p.toml")
    # The rows beside it must not change what becomes of it.
    given_rows = [{"a": 2.0, "b": 1.0}, {"a": a, "b": 10.0}, {"a": -1.0, "b": 3.0}]
    batch = pipeline.definition.input_schema.parse_rows(given_rows).batch

    result = PipelineExecutor(pipeline).run(batch, resolver_of(make_models()))

    made = StepRecords(result).of(1, 2, is_row=True)
    assert [one.outcome for one in made] == outcomes
    if answer == FAILED:
        assert result.failures[1].step == "first"
    else:
        assert result.failures == {}
        assert result.outputs[1] == {"answer": answer}


@pytest.mark.slow
@settings(max_examples=500)
@given(documents(), st.lists(rows, min_size=1, max_size=6))
def test_the_executor_agrees_with_the_interpreter_on_generated_pipelines(document, given_rows):
    check_agreement(document, given_rows)
