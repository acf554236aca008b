"""A series is learned in the order of its periods and answered from where it was asked for."""

import math

import numpy as np
import pytest
from river import datasets, linear_model, preprocessing, time_series

from modstream.models.errors import LearnError, PredictError, UnreadableArtifact, WarmUpFailed
from modstream.models.runtimes.river.runtime import pack
from modstream.models.runtimes.runtime import answered, load
from modstream.models.schema.artifact import sha256_of
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.models.serving.loader import warm_up

PASSENGERS = [float(y) for _, y in datasets.AirlinePassengers()]
ASKED = (
    Feature(name="period", kind="int"),
    Feature(name="horizon", kind="int", low=1, high=12),
)


def winters():
    return time_series.HoltWinters(
        alpha=0.3, beta=0.1, gamma=0.6, seasonality=12, multiplicative=True
    )


def runtime_of(model, period=None, features=ASKED):
    artifact = pack(model, period)
    draft = Draft(
        name="series",
        runtime="river",
        task="forecast",
        input_schema=InputSchema(features=tuple(features)),
    )
    return load(artifact, draft.card(1, artifact))


def batch(runtime, *asked):
    rows = [{"period": period, "horizon": horizon} for period, horizon in asked]
    return runtime._card.input_schema.batch(rows).batch


def teach(runtime, values, first=0):
    places = range(first, first + len(values))
    runtime.learn(batch(runtime, *((place, 1) for place in places)), values)
    return runtime


def test_a_forecast_follows_the_last_period_learned():
    runtime = teach(runtime_of(winters()), PASSENGERS[:120])
    plain = winters()
    for value in PASSENGERS[:120]:
        plain.learn_one(value)

    answer = runtime.predict(batch(runtime, (120, 3)))

    assert answer.shape == (1, 13)
    assert answer[0, :4].tolist() == [120, *plain.forecast(3)]
    assert np.isnan(answer[0, 4:]).all()


def test_a_model_that_is_behind_forecasts_the_period_that_was_asked_for():
    runtime = teach(runtime_of(winters()), PASSENGERS[:118])

    ahead = runtime.predict(batch(runtime, (118, 5)))[0, 1:6]
    late = runtime.predict(batch(runtime, (120, 3)))[0, :4]

    assert late.tolist() == [120, *ahead[2:]]


def test_what_is_known_already_is_not_forecast():
    runtime = teach(runtime_of(winters()), PASSENGERS[:120])

    answer = runtime.predict(batch(runtime, (5, 2), (120, 2)))

    assert answer[0].tolist()[:3] == answer[1].tolist()[:3]


def test_missing_values_are_bridged_and_keep_the_season_in_step():
    whole = teach(runtime_of(winters()), PASSENGERS[:132])
    holed = teach(runtime_of(winters()), PASSENGERS[:120])
    teach(holed, PASSENGERS[122:132], first=122)

    ask = batch(whole, (132, 12))
    errors = [np.abs(one.predict(ask)[0, 1:] - PASSENGERS[132:]).mean() for one in (whole, holed)]

    assert max(errors) < 25
    assert holed.predict(ask)[0, 0] == 132


@pytest.mark.parametrize(
    ("period", "reason"),
    [(119, "period 119 is not after 119"), (140, "20 periods are missing between 119 and 140")],
)
def test_a_value_out_of_order_is_refused(period, reason):
    runtime = teach(runtime_of(winters()), PASSENGERS[:120])

    with pytest.raises(LearnError, match=reason):
        teach(runtime, [400.0], first=period)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ((120, 13), "horizon 13 is not 1 to 12"),
        ((120, 0), "horizon 0 is not 1 to 12"),
        ((10**9, 1), "period 1000000000 is too far after 119"),
    ],
)
def test_nobody_can_ask_for_eternity(asked, reason):
    runtime = teach(runtime_of(winters()), PASSENGERS[:120])

    with pytest.raises(PredictError, match=reason):
        runtime.predict(batch(runtime, asked))


def test_snapshot_and_copy_know_the_last_period():
    runtime = teach(runtime_of(winters()), PASSENGERS[:120])
    ask = batch(runtime, (121, 6))

    artifact = runtime.snapshot()
    card = runtime._card.model_copy(update={"sha256": sha256_of(artifact), "size": len(artifact)})

    np.testing.assert_array_equal(load(artifact, card).predict(ask), runtime.predict(ask))
    np.testing.assert_array_equal(runtime.copy().predict(ask), runtime.predict(ask))


def test_learning_on_a_copy_leaves_the_original():
    runtime = teach(runtime_of(winters()), PASSENGERS[:120])
    before = runtime.snapshot()

    teach(runtime.copy(), [400.0], first=120)

    assert runtime.snapshot() == before


def test_further_features_are_exogenous():
    model = time_series.SNARIMAX(
        p=0, d=0, q=0, regressor=preprocessing.StandardScaler() | linear_model.LinearRegression()
    )
    runtime = runtime_of(model, features=(*ASKED, Feature(name="heat", kind="float")))
    schema = runtime._card.input_schema
    heats = [10.0 * math.sin(place) for place in range(300)]
    rows = [{"period": n, "horizon": 1, "heat": heat} for n, heat in enumerate(heats)]
    runtime.learn(schema.batch(rows).batch, [3 * heat + 5 for heat in heats])

    answer = runtime.predict(schema.batch([{"period": 300, "horizon": 2, "heat": 8.0}]).batch)

    assert answer[0, 1:3] == pytest.approx([29.0, 29.0], abs=1.0)


def test_a_series_that_has_learned_warms_up_and_an_empty_one_says_why_not():
    full, empty = teach(runtime_of(winters()), PASSENGERS[:24]), runtime_of(winters())

    warm_up(full, full._card, 8)

    with pytest.raises(WarmUpFailed, match="deque index out of range"):
        warm_up(empty, empty._card, 8)


def test_a_forecast_that_is_not_finite_is_no_answer():
    model = time_series.SNARIMAX(p=0, d=1, q=0)
    runtime = teach(runtime_of(model), [1.0, math.nan])

    assert not answered(runtime.predict(batch(runtime, (2, 3))), "forecast").any()


@pytest.mark.parametrize(
    "features",
    [
        (Feature(name="period", kind="int"),),
        (ASKED[0], Feature(name="horizon", kind="int")),
        (Feature(name="period", kind="float"), ASKED[1]),
    ],
)
def test_a_schema_that_cannot_ask_for_a_forecast_is_refused(features):
    with pytest.raises(UnreadableArtifact, match="needs the int features period and horizon"):
        runtime_of(winters(), features=features)
