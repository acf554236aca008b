import numpy as np
import pytest
from river import linear_model

from modstream.models.errors import WarmUpFailed
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.models.serving.loader import synthetic, warm_up


def feature(kind, low=None, high=None) -> InputSchema:
    return InputSchema(features=(Feature(name="x", kind=kind, low=low, high=high),))


def draft_of(schema: InputSchema) -> Draft:
    return Draft(
        name="flights", runtime="river", task="binary", classes=(False, True), input_schema=schema
    )


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (feature("float"), [0.0, 0.5, 1.0]),
        (feature("float", low=-2.0, high=4.0), [-2.0, 1.0, 4.0]),
        (feature("float", low=10.0), [10.0, 10.0, 10.0]),
        (feature("float", high=-10.0), [-10.0, -10.0, -10.0]),
        (feature("float", low=-1e308, high=1e308), [-1e308, 0.0, 1e308]),
        (feature("int", low=0.0, high=100.0), [0, 50, 100]),
        (feature("bool"), [False, False, True]),
        (feature("string"), ["warm-up"] * 3),
    ],
)
def test_synthetic_rows_are_valid_and_cross_the_range_of_their_feature(schema, expected):
    batch = synthetic(schema, rows=3)

    assert batch.rows() == [{"x": value} for value in expected]


def test_a_model_that_answers_passes_its_warm_up_unchanged():
    model = linear_model.LogisticRegression(intercept_init=1.0)
    card = draft_of(feature("float")).card(1, b"")
    runtime = RiverRuntime(model, card)
    before = runtime.snapshot()

    warm_up(runtime, card, rows=8)

    assert runtime.snapshot() == before


@pytest.mark.parametrize(
    ("schema", "intercept", "reason"),
    [
        (feature("float"), np.nan, "flights version 3 fails its warm-up: it answers NaN"),
        (feature("string"), 0.0, "could not predict: TypeError"),
    ],
)
def test_a_model_that_cannot_answer_its_own_schema_is_refused(schema, intercept, reason):
    card = draft_of(schema).card(3, b"")
    model = linear_model.LogisticRegression(intercept_init=intercept)

    with pytest.raises(WarmUpFailed, match=reason):
        warm_up(RiverRuntime(model, card), card, rows=8)
