"""Many rows at once are answered as they are one by one, or else one by one."""

from functools import cache
from random import Random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import compose, linear_model, naive_bayes, preprocessing

from modstream.models.runtimes.river.mini_batch import FEWEST, answers_at_once
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import Draft

NAMES = ("x", "y", "z")
FLOATS = InputSchema.floats(NAMES)


def card_of(task, classes, schema):
    facts = {"runtime": "river", "task": task, "classes": classes, "input_schema": schema}
    return Draft(name="m", **facts).card(1, b"")


def logistic(*steps):
    return compose.Pipeline(*steps, linear_model.LogisticRegression())


def linear(*steps):
    return compose.Pipeline(*steps, linear_model.LinearRegression())


ABLE = {
    "logistic": (linear_model.LogisticRegression, "binary", (False, True)),
    "logistic by number": (linear_model.LogisticRegression, "binary", (0, 1)),
    "logistic, scaled": (
        lambda: logistic(preprocessing.StandardScaler()),
        "binary",
        (False, True),
    ),
    "linear": (linear_model.LinearRegression, "regression", ()),
    "linear, scaled": (lambda: linear(preprocessing.StandardScaler()), "regression", ()),
}


@cache
def taught(make, task):
    model, random = make(), Random(1)
    for _ in range(200):
        row = {name: random.gauss(1, 3) for name in NAMES}
        model.learn_one(row, row["x"] > row["y"] if task == "binary" else row["x"] - row["y"])
    return model


def one_by_one(model, card, batch):
    runtime = RiverRuntime(model, card)
    return [float(runtime.predict(batch.take([at]))[0]) for at in range(batch.size)]


@pytest.mark.parametrize("known", ABLE.values(), ids=ABLE)
@given(rows=st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3), min_size=1, max_size=20))
def test_the_same_answers(known, rows):
    make, task, classes = known
    model, card = taught(make, task), card_of(task, classes, FLOATS)
    few = FLOATS.batch([dict(zip(NAMES, row, strict=True)) for row in rows]).batch
    batch = few.take([at % few.size for at in range(FEWEST)])

    at_once = answers_at_once(model, task, classes, batch)

    assert at_once is not None
    assert at_once[: few.size] == pytest.approx(one_by_one(model, card, few), rel=1e-9, abs=1e-9)
    assert RiverRuntime(model, card).predict(batch).tolist() == at_once.tolist()


def test_an_untrained_model_is_undecided_at_once_too():
    batch = FLOATS.batch([dict.fromkeys(NAMES, 1.0)] * FEWEST).batch

    found = answers_at_once(linear_model.LogisticRegression(), "binary", (), batch)

    assert found.tolist() == [0.5] * FEWEST


def still():
    """A model whose scaler has seen a feature that never changes."""
    model = logistic(preprocessing.StandardScaler())
    for number in range(20):
        model.learn_one({"x": float(number), "y": 2.0, "z": -float(number)}, number > 9)
    return model


ROW_BY_ROW = {
    "a feature without variance": still,
    "an untrained scaler": lambda: logistic(preprocessing.StandardScaler()),
    "a scaler over a window": lambda: taught(
        lambda: logistic(preprocessing.StandardScaler(window_size=50)), "binary"
    ),
    "another step": lambda: taught(lambda: logistic(preprocessing.MinMaxScaler()), "binary"),
    "another model": lambda: taught(naive_bayes.GaussianNB, "binary"),
}


@pytest.mark.parametrize("make", ROW_BY_ROW.values(), ids=ROW_BY_ROW)
def test_what_could_be_answered_otherwise_is_asked_row_by_row(make):
    batch = FLOATS.batch([dict.fromkeys(NAMES, 3.0)] * FEWEST).batch

    assert answers_at_once(make(), "binary", (), batch) is None


def test_rivers_scaler_answers_many_rows_otherwise_than_one():
    scaler = still()["StandardScaler"]
    row = {"x": 3.0, "y": 3.0, "z": 3.0}

    assert scaler.transform_one(row)["y"] == 0.0
    assert scaler.transform_many(pd.DataFrame([row]))["y"].tolist() == [1.0]


def test_words_and_few_rows_are_asked_row_by_row():
    schema = InputSchema(features=(Feature(name="x", kind="int"),))
    whole = schema.batch([{"x": 1}] * FEWEST).batch
    few = FLOATS.batch([dict.fromkeys(NAMES, 1.0)] * (FEWEST - 1)).batch

    model = linear_model.LogisticRegression()

    assert answers_at_once(model, "binary", (), whole) is None
    assert answers_at_once(model, "binary", (), few) is None
