"""One pass through a pipeline results in exactly the state of River's two passes."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import (
    anomaly,
    compose,
    feature_extraction,
    forest,
    linear_model,
    multiclass,
    preprocessing,
    stats,
    tree,
)

from modstream.models.examples.flights import FLIGHT_SCHEMA, online_pipeline, uncrossed_pipeline
from modstream.models.runtimes.river.single_pass import can_learn_in_one_pass, make_learn_one

WORDS, NUMBERS = ("carrier", "origin"), ("hour", "temp", "distance")
OTHERS = {
    one.name: "JFK" if one.kind == "string" else 0.0
    for one in FLIGHT_SCHEMA.features
    if one.name not in (*WORDS, *NUMBERS)
}
"""Further features of a flight, the same in all rows."""


def strings():
    return compose.SelectType(str) | preprocessing.OneHotEncoder()


def scaled(*names):
    return compose.Select(*names) | preprocessing.StandardScaler()


def product():
    """Return a pipeline with a product of transformers, which counts as a single step."""
    return scaled("hour") * scaled("temp") | linear_model.LogisticRegression()


def nested():
    """Return a union with a nested union, whose parts share feature names."""
    inner = scaled("hour", "temp") + (compose.Select("temp") | preprocessing.MinMaxScaler())
    return compose.TransformerUnion(inner, scaled("distance"), compose.Select("distance", "temp"))


SINGLE_PASS = {
    "online": online_pipeline,
    "plain": uncrossed_pipeline,
    "one step": lambda: scaled(*NUMBERS) | linear_model.LogisticRegression(),
    "nested": lambda: nested() | linear_model.LogisticRegression(),
    "product": product,
    "tree": lambda: scaled(*NUMBERS) | tree.HoeffdingTreeClassifier(grace_period=20),
    "forest": lambda: scaled(*NUMBERS) | forest.ARFClassifier(n_models=3, seed=1),
    "polynomials": lambda: (
        scaled(*NUMBERS)
        | feature_extraction.PolynomialExtender(2)
        | linear_model.LogisticRegression()
    ),
    "one against the rest": lambda: (
        strings() | multiclass.OneVsRestClassifier(linear_model.LogisticRegression())
    ),
}


TWO_PASSES = {
    "not a pipeline": linear_model.LogisticRegression,
    "a step that learns labels": lambda: (
        feature_extraction.TargetAgg(by="carrier", how=stats.Mean())
        | linear_model.LogisticRegression()
    ),
    "a filter": lambda: (
        anomaly.QuantileFilter(anomaly.HalfSpaceTrees(seed=1), q=0.9)
        | linear_model.LogisticRegression()
    ),
    "no final model": lambda: scaled("hour") | preprocessing.Normalizer(),
}

ROWS = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {name: st.sampled_from("abc") for name in WORDS}
            | {name: st.floats(-1e3, 1e3, width=32) for name in NUMBERS}
            | {name: st.just(value) for name, value in OTHERS.items()}
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


def predictions(model, rows):
    return [model.predict_proba_one(row) for row, _ in rows]


def random_rows(count):
    random = Random(7)
    for _ in range(count):
        row = {name: random.choice("abcdef") for name in WORDS}
        row |= {name: random.gauss(0, 5) for name in NUMBERS} | OTHERS
        yield row, row["hour"] + random.gauss(0, 3) > 0


@pytest.mark.slow
@pytest.mark.parametrize("make", SINGLE_PASS.values(), ids=SINGLE_PASS)
@given(rows=ROWS)
def test_one_pass_learns_the_same(make, rows):
    once, twice = make(), make()
    learn = make_learn_one(once)

    for row, label in rows:
        learn(dict(row), label)
        twice.learn_one(dict(row), label)

    assert predictions(once, rows) == predictions(twice, rows)


@pytest.mark.slow
@pytest.mark.parametrize("make", SINGLE_PASS.values(), ids=SINGLE_PASS)
def test_one_pass_learns_the_same_from_many_rows(make):
    once, twice, rows = make(), make(), list(random_rows(1500))
    learn = make_learn_one(once)

    for row, label in rows:
        learn(row, label)
        twice.learn_one(row, label)

    assert predictions(once, rows) == predictions(twice, rows)
    assert len({str(output) for output in predictions(once, rows)}) > 2, "the model has learned"


@pytest.mark.parametrize("make", SINGLE_PASS.values(), ids=SINGLE_PASS)
def test_supported_pipelines_learn_in_one_pass(make):
    assert can_learn_in_one_pass(make())


@pytest.mark.parametrize("make", TWO_PASSES.values(), ids=TWO_PASSES)
def test_other_models_learn_with_rivers_own_method(make):
    model = make()

    assert not can_learn_in_one_pass(model)
    assert make_learn_one(model) == model.learn_one


def test_a_step_learns_each_row_once():
    model = online_pipeline()
    learn = make_learn_one(model)

    for row, label in random_rows(10):
        learn(row, label)

    (scaler,) = [
        step
        for part in model.steps["TransformerUnion"].transformers.values()
        if isinstance(part, compose.Pipeline)
        for step in part.steps.values()
        if isinstance(step, preprocessing.StandardScaler)
    ]
    assert scaler.counts["hour"] == 10
