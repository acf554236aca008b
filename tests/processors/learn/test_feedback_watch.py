"""Whether the newest labels of a model are a reason to retrain it."""

from random import Random

import pytest

from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.processors.learn.feedback_watch import FeedbackWatch, WatchedRow, columns_of
from modstream.processors.learn.retrain_policy import RetrainSettings
from tests.processors.small_fixtures import make_card

CARD = make_card(name="m", version=1)
HOUR_MS = 3_600_000
WINDOW = 200


def make_watch(**settings):
    versions = VersionClasses(lambda _model, _version: CARD)
    return FeedbackWatch("m", RetrainSettings(window=WINDOW, **settings), versions)


def feedback(number, label, *, probability=0.8, version=1, model="m", features=None, **fields):
    prediction = JoinedPrediction(
        model=model, version=version, outputs={"probability": probability}
    )
    return Feedback(
        id=f"r{number}", label=label, features=features, predictions=(prediction,),
        event_time=number * 1000, label_time=number * 1000, **fields,
    )  # fmt: skip


def labels(count, share, seed=0, start=0):
    """Yield feedback of which a share has the label that was predicted."""
    random = Random(seed)
    for number in range(start, start + count):
        yield feedback(number, random.random() < share)


def found_by(watch, rows):
    return [trigger for trigger in map(watch.add, rows) if trigger is not None]


def test_a_risen_loss_is_found_with_its_figures():
    watch = make_watch()

    assert found_by(watch, labels(2 * WINDOW, 0.8)) == []
    trigger = found_by(watch, labels(2 * WINDOW, 0.4, start=2 * WINDOW))[0]

    assert trigger.kind == "loss"
    assert trigger.reason.startswith("log loss went from 0.5")
    assert trigger.figures["now"] > trigger.figures["before"]
    assert trigger.figures["p"] < 0.01


def test_a_stationary_stream_is_hardly_ever_a_reason():
    alarms = [bool(found_by(make_watch(), labels(3 * WINDOW, 0.8, seed))) for seed in range(60)]

    assert sum(alarms) <= 6


def test_hours_are_compared_where_there_are_enough_of_them():
    """In one hour of two all labels contradict: rows differ, hours do not differ enough."""
    watch = make_watch()
    rows = [
        feedback(number * 36, (number // 100) % 2 == 0) for number in range(3 * WINDOW)
    ]  # 100 rows an hour

    assert found_by(watch, rows) == []
    assert watch.figures["p"] > 0.05


def test_a_small_rise_is_none_however_certain():
    watch = make_watch(min_loss_rise=2.0)

    rows = [*labels(2 * WINDOW, 0.8), *labels(2 * WINDOW, 0.4, start=2 * WINDOW)]

    assert found_by(watch, rows) == []


def test_changed_inputs_are_a_reason_if_enabled():
    random = Random(1)
    rows = [
        feedback(n, n % 2 == 0, features={"a": random.gauss(2 * (n >= WINDOW), 1), "b": "x"})
        for n in range(2 * WINDOW)
    ]

    assert found_by(make_watch(), rows) == []
    (trigger,) = found_by(make_watch(min_psi=0.25), rows)
    assert (trigger.kind, list(trigger.figures)) == ("drift", ["a"])
    assert trigger.reason.startswith("inputs changed: a (PSI ")


def test_event_time_is_a_reason_on_a_schedule():
    watch = make_watch(every_hours=1)

    assert found_by(watch, labels(3600, 0.8)) == []
    assert watch.add(feedback(3600, label=True)).kind == "schedule"
    watch.reset()
    assert watch.add(feedback(3601, label=True)) is None


def test_other_models_earlier_versions_and_revisions_do_not_count():
    watch = make_watch()
    watch.restart(min_version=3)

    others = [
        feedback(1, label=True, model="n"),
        feedback(2, label=True, version=2),
        feedback(3, label=True, version=3, revises=False),
        feedback(4, label="unknown", version=3),
    ]

    assert (found_by(watch, others), watch.labels) == ([], 0)
    watch.add(feedback(5, label=True, version=3))
    assert watch.labels == 1


def test_a_restart_takes_a_new_reference_and_keeps_the_count():
    watch = make_watch()
    found_by(watch, labels(2 * WINDOW, 0.9))

    watch.restart()

    assert found_by(watch, labels(2 * WINDOW, 0.4)) == []
    assert watch.labels == 4 * WINDOW


@pytest.mark.parametrize("values", [[[1]], [{"a": 1}, 2]])
def test_features_that_are_no_single_values_are_not_compared(values):
    rows = [WatchedRow("binary", 1.0, 0.5, 0, {"a": value}) for value in values]

    assert columns_of(rows) == {}
