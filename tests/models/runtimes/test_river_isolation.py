"""Predictions do not depend on the requests before them, nor change what is learned."""

import pickle

import pytest
from river import (
    active,
    cluster,
    facto,
    feature_extraction,
    feature_selection,
    linear_model,
    naive_bayes,
    preprocessing,
)

from modstream.models.runtimes.river.isolation import IsolatedModel
from modstream.models.runtimes.river.runtime import make_runtime
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec

FEATURES = (Feature(name="x", kind="float"), Feature(name="s", kind="string"))
ROWS = [{"x": float(at), "s": "abcdef"[at]} for at in range(6)]
SCHEMA = InputSchema(features=FEATURES)


def runtime_of(model, task, **fields):
    spec = VersionSpec(name="m", runtime="river", task=task, input_schema=SCHEMA, **fields)
    return make_runtime(model, None, spec.make_card(1, Artifact(b"")))


def outputs(runtime, rows):
    batch = SCHEMA.parse_rows(rows).batch
    predict = getattr(runtime, "predict_rows", None)
    return predict(batch) if predict else runtime.predict(batch).tolist()


def encoded(model):
    return preprocessing.OneHotEncoder(drop_zeros=True) | model


MODELS = {
    "a new weight for each unseen category": (
        lambda: encoded(facto.FMRegressor(n_factors=2, seed=1)),
        *("regression", {}),
    ),
    "centers that are drawn when they are needed": (
        lambda: encoded(cluster.KMeans(3, seed=1)),
        *("clustering", {"scores": "none"}),
    ),
    "a random selection of features": (
        lambda: feature_selection.PoissonInclusion(0.5, seed=1),
        *("transformation", {"scores": "none"}),
    ),
    "random weights": (
        lambda: encoded(feature_extraction.RBFSampler(n_components=2, seed=1)),
        *("transformation", {"scores": "none"}),
    ),
    "a bias by the first row": (
        lambda: encoded(linear_model.AdPredictor(prior_probability=0.1)),
        *("binary", {}),
    ),
}


@pytest.mark.parametrize(("make", "task", "fields"), MODELS.values(), ids=MODELS)
def test_an_answer_depends_neither_on_the_batch_nor_on_earlier_requests(make, task, fields):
    alone = [outputs(runtime_of(make(), task, **fields), [row])[0] for row in ROWS]
    runtime = runtime_of(make(), task, **fields)
    before = runtime.snapshot()

    assert outputs(runtime, ROWS) == alone
    assert outputs(runtime, ROWS[::-1]) == alone[::-1]
    assert [outputs(runtime, [row])[0] for row in ROWS] == alone
    assert runtime.snapshot() == before


@pytest.mark.parametrize(("make", "task", "fields"), MODELS.values(), ids=MODELS)
def test_predictions_do_not_change_what_is_learned(make, task, fields):
    asked, silent = runtime_of(make(), task, **fields), runtime_of(make(), task, **fields)
    batch, labels = SCHEMA.parse_rows(ROWS[:3]).batch, [True, False, True]

    for runtime in (asked, silent):
        if runtime is asked:
            outputs(runtime, ROWS[::-1])
        runtime.learn(batch, labels)

    assert asked.snapshot() == silent.snapshot()
    assert outputs(asked, ROWS) == outputs(silent, ROWS)


def test_an_active_learner_predicts_like_its_classifier_and_draws_no_random_number():
    model = preprocessing.OneHotEncoder() | active.EntropySampler(naive_bayes.GaussianNB(), seed=1)
    for at, row in enumerate(ROWS):
        model.learn_one(row, at > 2)
    expected = [model.predict_proba_one(row)[0][True] for row in ROWS]
    runtime = runtime_of(model, "binary", classes=(False, True))
    before = pickle.dumps(model)

    assert outputs(runtime, ROWS) == expected
    assert pickle.dumps(model) == before
    runtime.learn(SCHEMA.parse_rows(ROWS[:1]).batch, [True])
    assert outputs(runtime, ROWS) != expected


def test_a_model_that_does_not_change_is_copied_once_for_a_batch(monkeypatch):
    isolated, copies = IsolatedModel({"seen": 0}), []
    monkeypatch.setattr(
        "modstream.models.runtimes.river.isolation.pickle.loads",
        lambda pickled: copies.append(pickled) or {"seen": 0},
    )

    isolated.predict_each(lambda model, row: model["seen"] + row, [1, 2, 3])
    assert len(copies) == 1

    isolated.predict_each(lambda model, row: model.update(seen=row), [1, 2, 3])
    assert len(copies) == 1 + 1 + 3
