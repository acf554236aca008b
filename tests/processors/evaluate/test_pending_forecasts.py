"""Each step of a forecast is scored against the label of its own period."""

from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.processors.evaluate.pending_forecasts import PendingForecasts
from modstream.processors.evaluate.prequential import Prequential


def feedback(period, label, first, values, version=1):
    prediction = JoinedPrediction(
        model="m", version=version, outputs={"forecast": values, "period": first}
    )
    return Feedback(
        id=f"r{period}",
        label=label,
        features={"period": period, "horizon": len(values)},
        predictions=(prediction,),
        event_time=period,
        label_time=period,
    )


def test_a_step_waits_for_its_period():
    forecasts = PendingForecasts()

    first = forecasts.add(feedback(7, 70.0, 7, [71.0, 82.0]))
    second = forecasts.add(feedback(8, 80.0, 8, [81.0]))

    assert [(step.number, step.value, step.label) for step in first] == [(1, 71.0, 70.0)]
    assert [(step.number, step.value, step.label) for step in second] == [
        (2, 82.0, 80.0),
        (1, 81.0, 80.0),
    ]


def test_a_forecast_that_starts_later_than_requested_is_scored_by_its_own_periods():
    forecasts = PendingForecasts()

    assert forecasts.add(feedback(7, 70.0, 9, [91.0])) == []
    assert forecasts.add(feedback(8, 80.0, 9, [92.0])) == []
    assert [step.value for step in forecasts.add(feedback(9, 90.0, 10, [5.0]))] == [91.0, 92.0]


def test_only_the_newest_periods_are_kept():
    forecasts = PendingForecasts(max_periods=2)
    for period in range(5):
        forecasts.add(feedback(period, 1.0, period + 10, [2.0]))

    assert forecasts.add(feedback(10, 1.0, 99, [2.0])) == []
    assert len(forecasts.add(feedback(14, 1.0, 99, [2.0]))) == 1


def test_metrics_by_step_belong_to_the_version_that_made_the_forecast():
    prequential = Prequential()
    prequential.add(feedback(1, 10.0, 1, [11.0, 30.0], version=1))
    prequential.add(feedback(2, 20.0, 2, [25.0, 0.0], version=2))

    found = {m.version: m.values for m in prequential.metrics(0, {})}

    assert (found[1]["mae_1"], found[1]["mae_2"]) == (1.0, 10.0)
    assert found[2]["mae"] == 5.0
    assert found[None]["labelled"] == 3
