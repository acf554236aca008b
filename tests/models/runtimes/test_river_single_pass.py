"""One pass through a pipeline comes to what River's two come to, to the last bit."""

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

from modstream.models.examples.flights import online_pipeline, plain_pipeline
from modstream.models.runtimes.river.single_pass import is_plain, learner

WORDS, NUMBERS = ("carrier", "origin"), ("hour", "temp", "distance")


def strings():
    return compose.SelectType(str) | preprocessing.OneHotEncoder()


def scaled(*names):
    return compose.Select(*names) | preprocessing.StandardScaler()


def product():
    """A union that is more than its parts: it is left to River as one step."""
    return scaled("hour") * scaled("temp") | linear_model.LogisticRegression()


def nested():
    """Features of the same name from several parts, one of them a union itself."""
    inner = scaled("hour", "temp") + (compose.Select("temp") | preprocessing.MinMaxScaler())
    return compose.TransformerUnion(inner, scaled("distance"), compose.Select("distance", "temp"))


PLAIN = {
    "online": online_pipeline,
    "plain": plain_pipeline,
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


LEFT_TO_RIVER = {
    "no pipeline": linear_model.LogisticRegression,
    "a step that learns labels": lambda: (
        feature_extraction.TargetAgg(by="carrier", how=stats.Mean())
        | linear_model.LogisticRegression()
    ),
    "a filter": lambda: (
        anomaly.QuantileFilter(anomaly.HalfSpaceTrees(seed=1), q=0.9)
        | linear_model.LogisticRegression()
    ),
    "no model": lambda: scaled("hour") | preprocessing.Normalizer(),
}

ROWS = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {name: st.sampled_from("abc") for name in WORDS}
            | {name: st.floats(-1e3, 1e3, width=32) for name in NUMBERS}
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


def told(model, rows):
    return [model.predict_proba_one(row) for row, _ in rows]


def drawn(count):
    random = Random(7)
    for _ in range(count):
        row = {name: random.choice("abcdef") for name in WORDS}
        row |= {name: random.gauss(0, 5) for name in NUMBERS}
        yield row, row["hour"] + random.gauss(0, 3) > 0


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
@given(rows=ROWS)
def test_a_model_learns_the_same(make, rows):
    once, twice = make(), make()
    learn = learner(once)

    for row, label in rows:
        learn(dict(row), label)
        twice.learn_one(dict(row), label)

    assert told(once, rows) == told(twice, rows)


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_the_same_after_many_rows(make):
    once, twice, rows = make(), make(), list(drawn(1500))
    learn = learner(once)

    for row, label in rows:
        learn(row, label)
        twice.learn_one(row, label)

    assert told(once, rows) == told(twice, rows)
    assert len({str(answer) for answer in told(once, rows)}) > 2, "it has learned something"


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_it_is_one_pass_indeed(make):
    assert is_plain(make())


@pytest.mark.parametrize("make", LEFT_TO_RIVER.values(), ids=LEFT_TO_RIVER)
def test_what_could_come_to_something_else_is_left_to_river(make):
    model = make()

    assert not is_plain(model)
    assert learner(model) == model.learn_one


def test_a_step_learns_each_row_once():
    model = online_pipeline()
    learn = learner(model)

    for row, label in drawn(10):
        learn(row, label)

    (scaler,) = [
        step
        for part in model.steps["TransformerUnion"].transformers.values()
        if isinstance(part, compose.Pipeline)
        for step in part.steps.values()
        if isinstance(step, preprocessing.StandardScaler)
    ]
    assert scaler.counts["hour"] == 10
