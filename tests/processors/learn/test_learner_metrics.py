"""The metrics of a learner: by model and version, its progress, and input drift."""

from math import log
from random import Random

import pytest

from modstream.broker.wire.contracts import JoinedPrediction
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.processors.learn.settings import InputDriftSettings, LearnSettings
from tests.processors.learn.learner_fixtures import (
    feedback,
    labelled_stream,
    make_learner,
    predictions_of,
)
from tests.processors.small_fixtures import make_card


def versions_of(*cards):
    """Return a lookup of the classes in the cards of some models, the same for all versions."""
    known = {card.name: card for card in cards}
    return VersionClasses(lambda model, _version: known.get(model))


def test_metrics_belong_to_the_version_that_predicted():
    learner = make_learner(versions=versions_of(make_card("m"), make_card("other")))
    learner.learn_batch(
        [
            feedback(
                n,
                {"x": 0.0, "y": 0.0},
                n % 2 == 0,
                predictions=(
                    JoinedPrediction(model="m", version=n // 10 + 1, outputs={"probability": 0.9}),
                    JoinedPrediction(
                        model="other", version=1, outputs={"probability": float(n % 2 == 0)}
                    ),
                ),
            )
            for n in range(20)
        ]
    )

    metrics = {(one.model, one.version): one for one in learner.metrics()}

    assert metrics["m", 1].values["labelled"] == 10
    assert metrics["m", None].values["labelled"] == 20
    assert metrics["m", 2].values["accuracy"] == 0.5
    assert metrics["other", None].values["auc"] == 1.0
    assert metrics["m", 1].offsets == {"s.feedback:0": 20}


def test_metrics_depend_on_the_task():
    regression = make_card("r", task="regression", classes=())
    classification = make_card("c", task="multiclass", classes=(1.0, "b"))
    learner = make_learner(versions=versions_of(regression, classification))
    predictions = (
        JoinedPrediction(model="r", version=1, outputs={"value": 2.0}),
        JoinedPrediction(
            model="c",
            version=1,
            outputs={"label": "b", "probabilities": {"1.0": 0.25, "b": 0.75}},
        ),
        JoinedPrediction(model="z", version=1, outputs={"mood": "fine"}),
    )
    learner.learn_batch(
        [
            feedback(number, None, label, predictions=predictions)
            for number, label in enumerate([1.0, 4.0, "b"])
        ]
    )

    values = {one.model: one.values for one in learner.metrics() if one.version is None}

    assert values["r"] == pytest.approx(
        {"labelled": 2, "window": 2, "mae": 1.5, "rmse": 2.5**0.5, "r2": 1 - 5 / 4.5}
    )
    assert values["c"] == pytest.approx(
        {
            "labelled": 2,
            "window": 2,
            "accuracy": 0.5,
            "macro_f1": 1 / 3,
            "log_loss": -(log(0.25) + log(0.75)) / 2,
        }
    )
    assert "z" not in values
    assert learner.progress(1).values["unscored"] == 5


def test_progress_contains_the_counts_and_the_time_of_the_newest_label():
    learner = make_learner()
    learner.learn_batch(labelled_stream(5))

    progress = learner.progress(version=7)

    assert (progress.kind, progress.model, progress.version) == ("learner", "m", 7)
    assert progress.event_time == 14
    assert progress.values == {
        "learned": 5, "seen": 5, "repeated": 0, "revised": 0, "quarantined": 0,
        "internal_errors": 0, "unscored": 0,
    }  # fmt: skip


def test_a_revised_label_corrects_the_metrics_and_is_not_learned():
    learner, other = make_learner(), make_learner()
    records = labelled_stream(50)
    revised = feedback(7, None, False, revises=True)._replace(offset=50)

    learner.learn_batch([*records, revised])
    other.learn_batch(records)

    assert predictions_of(learner) == predictions_of(other)
    assert (learner.counts.revised, learner.counts.learned) == (1, 50)


def shifted_rows(count, shift, start):
    rng = Random(start)
    rows = [{"x": rng.gauss(shift, 1), "y": rng.gauss(0, 1)} for _ in range(count)]
    return [feedback(start + n, row, row["x"] > shift) for n, row in enumerate(rows)]


def input_shifts(learner):
    return [one.values for one in learner.metrics() if one.kind == "input_drift"]


def test_shifted_inputs_are_reported_once_with_the_metrics():
    learner = make_learner()
    learner.learn_batch(shifted_rows(5000, 0.0, 0))
    assert input_shifts(learner) == []

    for start in range(5000, 9000, 500):
        learner.learn_batch(shifted_rows(500, 2.0, start))

    (shifts,) = input_shifts(learner)
    assert list(shifts) == ["x"]
    assert shifts["x"] > 1
    assert input_shifts(learner) == []


def test_input_drift_can_be_switched_off():
    settings = LearnSettings(input_drift=InputDriftSettings(sample_every=0))

    assert not make_learner(settings=settings).monitors_input_drift


def test_a_learner_without_a_monitor_reports_no_shifts():
    learner = make_learner()
    learner.disable_input_drift()

    learner.learn_batch(shifted_rows(5000, 0.0, 0))
    for start in range(5000, 9000, 500):
        learner.learn_batch(shifted_rows(500, 2.0, start))

    assert input_shifts(learner) == []
