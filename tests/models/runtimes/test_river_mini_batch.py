"""Mini-batch prediction equals row-by-row prediction, or is not used."""

from functools import cache
from random import Random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import compose, linear_model, naive_bayes, preprocessing

from modstream.models.runtimes.river.inspection import model_labels
from modstream.models.runtimes.river.mini_batch import MIN_ROWS, predict_many
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec

NAMES = ("x", "y", "z")
FLOATS = InputSchema.of_floats(NAMES)


def card_of(task, classes, schema):
    fields = {"runtime": "river", "task": task, "classes": classes, "input_schema": schema}
    return VersionSpec(name="m", **fields).make_card(1, Artifact(b""))


def logistic(*steps):
    return compose.Pipeline(*steps, linear_model.LogisticRegression())


def linear(*steps):
    return compose.Pipeline(*steps, linear_model.LinearRegression())


SUPPORTED = {
    "logistic": (linear_model.LogisticRegression, "binary", (False, True)),
    "logistic by number": (linear_model.LogisticRegression, "binary", (0, 1)),
    "logistic by other numbers": (linear_model.LogisticRegression, "binary", (1, 2)),
    "logistic by words": (linear_model.LogisticRegression, "binary", ("no", "yes")),
    "logistic, reversed": (linear_model.LogisticRegression, "binary", (True, False)),
    "logistic, scaled": (
        lambda: logistic(preprocessing.StandardScaler()),
        "binary",
        (False, True),
    ),
    "linear": (linear_model.LinearRegression, "regression", ()),
    "linear, scaled": (lambda: linear(preprocessing.StandardScaler()), "regression", ()),
}


@cache
def trained(make, task):
    model, random = make(), Random(1)
    for _ in range(200):
        row = {name: random.gauss(1, 3) for name in NAMES}
        model.learn_one(row, row["x"] > row["y"] if task == "binary" else row["x"] - row["y"])
    return model


def predict_one_by_one(model, card, batch):
    runtime = RiverRuntime(model, card)
    return [float(runtime.predict(batch.take([row]))[0]) for row in range(batch.size)]


@pytest.mark.slow
@pytest.mark.parametrize("case", SUPPORTED.values(), ids=SUPPORTED)
@given(rows=st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3), min_size=1, max_size=20))
def test_mini_batches_predict_the_same(case, rows):
    make, task, classes = case
    model, card = trained(make, task), card_of(task, classes, FLOATS)
    few = FLOATS.parse_rows([dict(zip(NAMES, row, strict=True)) for row in rows]).batch
    batch = few.take([row % few.size for row in range(MIN_ROWS)])

    labels = model_labels(model, classes) if task == "binary" else ()
    outputs = predict_many(model, task, labels, batch)

    assert outputs is not None
    assert outputs[: few.size] == pytest.approx(
        predict_one_by_one(model, card, few), rel=1e-9, abs=1e-9
    )
    assert RiverRuntime(model, card).predict(batch).tolist() == outputs.tolist()


def test_an_untrained_model_predicts_one_half_in_a_mini_batch():
    batch = FLOATS.parse_rows([dict.fromkeys(NAMES, 1.0)] * MIN_ROWS).batch

    outputs = predict_many(linear_model.LogisticRegression(), "binary", (False, True), batch)

    assert outputs.tolist() == [0.5] * MIN_ROWS


def with_constant_feature():
    """Return a model whose scaler has seen a feature without variance."""
    model = logistic(preprocessing.StandardScaler())
    for number in range(20):
        model.learn_one({"x": float(number), "y": 2.0, "z": -float(number)}, number > 9)
    return model


ROW_BY_ROW = {
    "a feature without variance": with_constant_feature,
    "an untrained scaler": lambda: logistic(preprocessing.StandardScaler()),
    "a scaler over a window": lambda: trained(
        lambda: logistic(preprocessing.StandardScaler(window_size=50)), "binary"
    ),
    "another step": lambda: trained(lambda: logistic(preprocessing.MinMaxScaler()), "binary"),
    "another model": lambda: trained(naive_bayes.GaussianNB, "binary"),
}


@pytest.mark.parametrize("make", ROW_BY_ROW.values(), ids=ROW_BY_ROW)
def test_models_that_could_differ_are_predicted_row_by_row(make):
    batch = FLOATS.parse_rows([dict.fromkeys(NAMES, 3.0)] * MIN_ROWS).batch

    assert predict_many(make(), "binary", (), batch) is None


def test_rivers_scaler_differs_between_many_rows_and_one():
    scaler = with_constant_feature()["StandardScaler"]
    row = {"x": 3.0, "y": 3.0, "z": 3.0}

    assert scaler.transform_one(row)["y"] == 0.0
    assert scaler.transform_many(pd.DataFrame([row]))["y"].tolist() == [1.0]


def test_integers_and_small_batches_are_predicted_row_by_row():
    schema = InputSchema(features=(Feature(name="x", kind="int"),))
    whole = schema.parse_rows([{"x": 1}] * MIN_ROWS).batch
    few = FLOATS.parse_rows([dict.fromkeys(NAMES, 1.0)] * (MIN_ROWS - 1)).batch

    model = linear_model.LogisticRegression()

    assert predict_many(model, "binary", (), whole) is None
    assert predict_many(model, "binary", (), few) is None
