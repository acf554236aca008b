"""River forecasters learn periods in order and forecast from the requested period on."""

import math

import numpy as np
import pytest
from river import datasets, linear_model, preprocessing, time_series

from modstream.models.errors import LearnError, PredictError, UnreadableArtifact, WarmUpFailed
from modstream.models.runtimes.river.runtime import pack
from modstream.models.runtimes.runtime import has_output, load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.serving.loader import warm_up

PASSENGERS = [float(y) for _, y in datasets.AirlinePassengers()]
PERIOD_AND_HORIZON = (
    Feature(name="period", kind="int"),
    Feature(name="horizon", kind="int", low=1, high=12),
)


def holt_winters():
    return time_series.HoltWinters(
        alpha=0.3, beta=0.1, gamma=0.6, seasonality=12, multiplicative=True
    )


def runtime_of(model, last_period=None, features=PERIOD_AND_HORIZON):
    artifact = pack(model, last_period)
    spec = VersionSpec(
        name="series",
        runtime="river",
        task="forecast",
        input_schema=InputSchema(features=tuple(features)),
    )
    return load(Artifact(artifact), spec.make_card(1, Artifact(artifact)))


def batch(runtime, *requests):
    rows = [{"period": period, "horizon": horizon} for period, horizon in requests]
    return runtime._card.input_schema.parse_rows(rows).batch


def learn(runtime, values, first=0):
    periods = range(first, first + len(values))
    runtime.learn(batch(runtime, *((period, 1) for period in periods)), values)
    return runtime


def test_a_forecast_follows_the_last_period_learned():
    runtime = learn(runtime_of(holt_winters()), PASSENGERS[:120])
    plain = holt_winters()
    for value in PASSENGERS[:120]:
        plain.learn_one(value)

    output = runtime.predict(batch(runtime, (120, 3)))

    assert output.shape == (1, 13)
    assert output[0, :4].tolist() == [120, *plain.forecast(3)]
    assert np.isnan(output[0, 4:]).all()


def test_a_model_that_lags_behind_forecasts_the_requested_period():
    runtime = learn(runtime_of(holt_winters()), PASSENGERS[:118])

    ahead = runtime.predict(batch(runtime, (118, 5)))[0, 1:6]
    late = runtime.predict(batch(runtime, (120, 3)))[0, :4]

    assert late.tolist() == [120, *ahead[2:]]


def test_periods_already_learned_are_not_forecast():
    runtime = learn(runtime_of(holt_winters()), PASSENGERS[:120])

    output = runtime.predict(batch(runtime, (5, 2), (120, 2)))

    assert output[0].tolist()[:3] == output[1].tolist()[:3]


def test_missing_periods_are_filled_and_keep_the_season_aligned():
    whole = learn(runtime_of(holt_winters()), PASSENGERS[:132])
    gapped = learn(runtime_of(holt_winters()), PASSENGERS[:120])
    learn(gapped, PASSENGERS[122:132], first=122)

    request = batch(whole, (132, 12))
    errors = [
        np.abs(one.predict(request)[0, 1:] - PASSENGERS[132:]).mean() for one in (whole, gapped)
    ]

    assert max(errors) < 25
    assert gapped.predict(request)[0, 0] == 132


@pytest.mark.parametrize(
    ("period", "reason"),
    [(119, "period 119 is not after 119"), (140, "20 periods are missing between 119 and 140")],
)
def test_a_period_out_of_order_is_rejected(period, reason):
    runtime = learn(runtime_of(holt_winters()), PASSENGERS[:120])

    with pytest.raises(LearnError, match=reason):
        learn(runtime, [400.0], first=period)


@pytest.mark.parametrize(
    ("requested", "reason"),
    [
        ((120, 13), "horizon 13 is not between 1 and 12"),
        ((120, 0), "horizon 0 is not between 1 and 12"),
        ((10**9, 1), "period 1000000000 is too far after 119"),
    ],
)
def test_requests_outside_the_horizon_are_rejected(requested, reason):
    runtime = learn(runtime_of(holt_winters()), PASSENGERS[:120])

    with pytest.raises(PredictError, match=reason):
        runtime.predict(batch(runtime, requested))


def test_snapshot_and_copy_keep_the_last_period():
    runtime = learn(runtime_of(holt_winters()), PASSENGERS[:120])
    request = batch(runtime, (121, 6))

    artifact = runtime.snapshot()
    card = runtime._card.model_copy(
        update={"sha256": Artifact(artifact).sha256, "size": len(artifact)}
    )

    np.testing.assert_array_equal(
        load(Artifact(artifact), card).predict(request), runtime.predict(request)
    )
    np.testing.assert_array_equal(runtime.copy().predict(request), runtime.predict(request))


def test_learning_on_a_copy_does_not_change_the_original():
    runtime = learn(runtime_of(holt_winters()), PASSENGERS[:120])
    before = runtime.snapshot()

    learn(runtime.copy(), [400.0], first=120)

    assert runtime.snapshot() == before


def test_other_features_are_exogenous():
    model = time_series.SNARIMAX(
        p=0, d=0, q=0, regressor=preprocessing.StandardScaler() | linear_model.LinearRegression()
    )
    runtime = runtime_of(model, features=(*PERIOD_AND_HORIZON, Feature(name="heat", kind="float")))
    schema = runtime._card.input_schema
    heats = [10.0 * math.sin(period) for period in range(300)]
    rows = [{"period": n, "horizon": 1, "heat": heat} for n, heat in enumerate(heats)]
    runtime.learn(schema.parse_rows(rows).batch, [3 * heat + 5 for heat in heats])

    output = runtime.predict(schema.parse_rows([{"period": 300, "horizon": 2, "heat": 8.0}]).batch)

    assert output[0, 1:3] == pytest.approx([29.0, 29.0], abs=1.0)


def test_a_trained_series_warms_up():
    trained = learn(runtime_of(holt_winters()), PASSENGERS[:24])

    warm_up(trained, trained._card, 8)


@pytest.mark.parametrize("learned", [0, 5])
def test_a_series_without_a_season_yet_waits_for_its_values(learned):
    runtime = learn(runtime_of(holt_winters()), PASSENGERS[:learned])

    with pytest.raises(PredictError, match="deque index out of range"):
        runtime.predict(batch(runtime, (learned, 1)))

    warm_up(runtime, runtime._card, 8)


def test_a_series_that_never_has_a_forecast_fails_its_warm_up():
    runtime = learn(runtime_of(time_series.SNARIMAX(p=0, d=1, q=0)), [1.0, math.nan])

    with pytest.raises(WarmUpFailed, match="its output is NaN"):
        warm_up(runtime, runtime._card, 8)


def test_a_forecast_that_is_not_finite_is_not_an_output():
    model = time_series.SNARIMAX(p=0, d=1, q=0)
    runtime = learn(runtime_of(model), [1.0, math.nan])

    assert not has_output(runtime.predict(batch(runtime, (2, 3))), "forecast").any()


@pytest.mark.parametrize(
    "features",
    [
        (Feature(name="period", kind="int"),),
        (PERIOD_AND_HORIZON[0], Feature(name="horizon", kind="int")),
        (Feature(name="period", kind="float"), PERIOD_AND_HORIZON[1]),
    ],
)
def test_a_schema_without_period_and_bounded_horizon_is_rejected(features):
    with pytest.raises(UnreadableArtifact, match="needs the int features period and horizon"):
        runtime_of(holt_winters(), features=features)
