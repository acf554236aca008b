"""Each step of a forecast is held against the label of its own period."""

from modstream.broker.wire.contracts import Feedback, Scored
from modstream.processors.evaluate.pending_forecasts import Outlooks
from modstream.processors.evaluate.prequential import Prequential


def feedback(period, label, first, values, version=1):
    scored = Scored(model="m", version=version, outputs={"forecast": values, "period": first})
    return Feedback(
        id=f"r{period}",
        label=label,
        features={"period": period, "horizon": len(values)},
        predictions=(scored,),
        event_time=period,
        label_time=period,
    )


def test_a_step_waits_for_its_period():
    outlooks = Outlooks()

    first = list(outlooks.add(feedback(7, 70.0, 7, [71.0, 82.0])))
    second = list(outlooks.add(feedback(8, 80.0, 8, [81.0])))

    assert [(step.number, step.value, step.truth) for step in first] == [(1, 71.0, 70.0)]
    assert [(step.number, step.value, step.truth) for step in second] == [
        (2, 82.0, 80.0),
        (1, 81.0, 80.0),
    ]


def test_an_answer_that_began_later_than_asked_is_held_against_what_it_forecasts():
    outlooks = Outlooks()

    assert list(outlooks.add(feedback(7, 70.0, 9, [91.0]))) == []
    assert list(outlooks.add(feedback(8, 80.0, 9, [92.0]))) == []
    assert [step.value for step in outlooks.add(feedback(9, 90.0, 10, [5.0]))] == [91.0, 92.0]


def test_only_the_latest_periods_are_remembered():
    outlooks = Outlooks(periods=2)
    for period in range(5):
        list(outlooks.add(feedback(period, 1.0, period + 10, [2.0])))

    assert list(outlooks.add(feedback(10, 1.0, 99, [2.0]))) == []
    assert len(list(outlooks.add(feedback(14, 1.0, 99, [2.0])))) == 1


def test_metrics_by_step_belong_to_the_version_that_forecast():
    prequential = Prequential()
    prequential.add(feedback(1, 10.0, 1, [11.0, 30.0], version=1))
    prequential.add(feedback(2, 20.0, 2, [25.0, 0.0], version=2))

    found = {m.version: m.values for m in prequential.metrics(0, {})}

    assert (found[1]["mae_1"], found[1]["mae_2"]) == (1.0, 10.0)
    assert found[2]["mae"] == 5.0
    assert found[None]["labelled"] == 3
