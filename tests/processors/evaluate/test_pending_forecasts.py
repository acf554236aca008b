"""Each step of a forecast is scored against the label of its own period."""

import pytest

from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.processors.evaluate.pending_forecasts import (
    MAX_PENDING_STEPS,
    MAX_STEPS,
    PendingForecasts,
)
from modstream.processors.evaluate.prequential import Prequential
from tests.processors.small_fixtures import make_card


def feedback(period, label, first, values, version=1):
    outputs = {"forecast": values, "period": first}
    prediction = JoinedPrediction.model_construct(model="m", version=version, outputs=outputs)
    return Feedback.model_construct(
        id=f"r{period}",
        label=label,
        features={"period": period, "horizon": len(values)},
        predictions=(prediction,),
        event_time=period,
        label_time=period,
    )


def add(forecasts, message):
    return forecasts.add(message, message.predictions)


def test_a_step_waits_for_its_period():
    forecasts = PendingForecasts()

    first = add(forecasts, feedback(7, 70.0, 7, [71.0, 82.0]))
    second = add(forecasts, feedback(8, 80.0, 8, [81.0]))

    assert [(step.number, step.value, step.label) for step in first] == [(1, 71.0, 70.0)]
    assert [(step.number, step.value, step.label) for step in second] == [
        (2, 82.0, 80.0),
        (1, 81.0, 80.0),
    ]


def test_a_forecast_that_starts_later_than_requested_is_scored_by_its_own_periods():
    forecasts = PendingForecasts()

    assert add(forecasts, feedback(7, 70.0, 9, [91.0])) == []
    assert add(forecasts, feedback(8, 80.0, 9, [92.0])) == []
    assert [step.value for step in add(forecasts, feedback(9, 90.0, 10, [5.0]))] == [91.0, 92.0]


def test_only_the_newest_periods_are_kept():
    forecasts = PendingForecasts(max_periods=2)
    for period in range(5):
        add(forecasts, feedback(period, 1.0, period + 10, [2.0]))

    assert add(forecasts, feedback(10, 1.0, 99, [2.0])) == []
    assert len(add(forecasts, feedback(14, 1.0, 99, [2.0]))) == 1


def test_metrics_by_step_belong_to_the_version_that_made_the_forecast():
    prequential = Prequential(versions=VersionClasses(lambda *_: make_card(task="forecast")))
    prequential.add(feedback(1, 10.0, 1, [11.0, 30.0], version=1))
    prequential.add(feedback(2, 20.0, 2, [25.0, 0.0], version=2))

    found = {m.version: m.values for m in prequential.metrics(0, {})}

    assert (found[1]["mae_1"], found[1]["mae_2"]) == (1.0, 10.0)
    assert found[2]["mae"] == 5.0
    assert found[None]["labelled"] == 3


ODD = [10**400, -(10**400), "x", None, [1], {}, True, float("nan"), float("inf")]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_what_is_no_number_or_period_is_not_matched(odd):
    forecasts = PendingForecasts()
    message = feedback(7, 70.0, 7, [71.0])
    odd_label = message.model_copy(update={"label": odd})
    odd_period = message.model_copy(update={"features": {"period": odd}})

    assert add(forecasts, odd_label) == []
    assert add(forecasts, feedback(8, 80.0, odd, [1.0])) == []
    assert add(forecasts, feedback(9, 90.0, 9, [odd])) == []
    assert add(PendingForecasts(), odd_period) == []
    for values in ("x", None, 5, {"a": 1}):
        outputs = {"forecast": values, "period": 9}
        prediction = JoinedPrediction.model_construct(model="m", version=1, outputs=outputs)
        assert PendingForecasts().add(message, [prediction]) == []


@pytest.mark.slow
def test_long_forecasts_and_many_of_one_period_are_bounded():
    forecasts = PendingForecasts()
    add(forecasts, feedback(1, 1.0, 5, [0.5] * 50_000))
    assert forecasts._step_count == MAX_STEPS

    for number in range(300):
        add(forecasts, feedback(2, 1.0, 5 + number, [0.5] * MAX_STEPS))

    assert forecasts._step_count == sum(map(len, forecasts._pending.values()))
    assert forecasts._step_count <= MAX_PENDING_STEPS
