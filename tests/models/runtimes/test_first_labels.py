"""A model without predictions may be published if labels would give it some."""

import math

import pytest
from river import cluster, forest, linear_model, multiclass, preprocessing, time_series

from modstream.models.errors import PredictError, TrialFailed, WarmUpFailed
from modstream.models.runtimes.first_labels import first_labels_fail
from modstream.models.runtimes.river.artifact import pack
from modstream.models.runtimes.river.runtime import make_runtime
from modstream.models.runtimes.runtime import usable_rows
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.synthetic import warm_up_batch
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.serving.loader import warm_up
from modstream.models.trial.trial import try_version

FLOATS = InputSchema.of_floats(["x"])
SERIES = InputSchema(
    features=(
        Feature(name="period", kind="int"),
        Feature(name="horizon", kind="int", low=1, high=3),
    )
)
LABELS_ONLY = {"classes": ("a", "b", "c"), "scores": "none"}


def winters():
    return time_series.HoltWinters(alpha=0.3, beta=0.1, gamma=0.6, seasonality=12)


WAITING = {
    "two classes": (
        lambda: multiclass.OneVsOneClassifier(linear_model.LogisticRegression()),
        *("multiclass", FLOATS, LABELS_ONLY),
    ),
    "clusters": (lambda: cluster.STREAMKMeans(seed=1), "clustering", FLOATS, {}),
    "a season": (winters, "forecast", SERIES, {}),
    "a value": (lambda: forest.AMFRegressor(2, seed=1), "regression", FLOATS, {}),
    "a range": (preprocessing.MinMaxScaler, "transformation", FLOATS, {}),
}


def card_of(model, task, schema, fields):
    spec = VersionSpec(name="m", runtime="river", task=task, input_schema=schema, **fields)
    return spec.make_card(1, Artifact(pack(model)))


def has_prediction(runtime, card):
    try:
        return usable_rows(runtime, card, warm_up_batch(card, 4)).any()
    except PredictError:
        return False


@pytest.mark.parametrize(("make", "task", "schema", "fields"), WAITING.values(), ids=WAITING)
def test_a_model_that_waits_for_labels_passes_warm_up_and_trial_untaught(
    make, task, schema, fields
):
    card = card_of(make(), task, schema, fields)
    runtime = make_runtime(make(), None, card)

    warm_up(runtime, card, 8)
    report = try_version(card, Artifact(pack(make())))

    assert not has_prediction(runtime, card)
    assert (report.rows, report.answers) == (0, [])


def test_a_model_that_stays_without_predictions_fails():
    model = linear_model.LinearRegression(intercept_init=math.nan)
    card = card_of(model, "regression", FLOATS, {})
    runtime = make_runtime(model, None, card)

    assert "nor after it has learned it" in first_labels_fail(runtime, card, warm_up_batch(card, 4))
    with pytest.raises(WarmUpFailed, match="its output is NaN"):
        warm_up(runtime, card, 8)
    with pytest.raises(TrialFailed, match="its output is NaN"):
        try_version(card, Artifact(pack(model)))


def test_a_model_that_cannot_learn_says_why():
    schema = InputSchema(features=(Feature(name="s", kind="string"),))
    model = linear_model.LinearRegression()
    card = card_of(model, "regression", schema, {})

    reason = first_labels_fail(make_runtime(model, None, card), card, warm_up_batch(card, 4))

    assert reason.startswith("the river runtime could not learn: TypeError")
