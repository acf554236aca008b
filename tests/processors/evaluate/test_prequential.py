"""Prequential metrics by model and version, also after a label was revised."""

from math import log
from random import Random

import pytest

from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.models.evaluation.metrics import compute_metrics
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.processors.evaluate.prequential import (
    MAX_MODELS,
    MAX_VERSION_WINDOWS,
    Prequential,
)
from tests.processors.small_fixtures import make_card


def versions_of(**fields):
    """Return a lookup in which all versions of model m have the same task and classes."""
    card = make_card(**fields)
    return VersionClasses(lambda model, _version: card if model == "m" else None)


def feedback(number, label, probability, version=1, **more):
    prediction = JoinedPrediction(model="m", version=version, outputs={"probability": probability})
    return Feedback(
        id=f"r{number}", label=label, predictions=(prediction,), event_time=0, label_time=1, **more
    )


def values(prequential):
    """Return the metrics of the model, over all versions."""
    return prequential.metrics(0, {})[0].values


def test_a_revised_label_corrects_the_metrics_of_the_version_that_predicted():
    random, prequential = Random(1), Prequential(versions=versions_of())
    rows = [(n, random.random() < 0.4, random.random(), 1 + n // 50) for n in range(100)]
    revised = {n: not truth for n, truth, _, _ in rows if n % 7 == 0}
    for number, truth, probability, version in rows:
        prequential.add(feedback(number, truth, probability, version))
    for number, truth in revised.items():
        _, before, probability, version = rows[number]
        prequential.add(feedback(number, truth, probability, version, revises=before))

    found = {one.version: one.values for one in prequential.metrics(0, {})}
    for version in (1, 2):
        mine = [row for row in rows if row[3] == version]
        truths = [revised.get(n, truth) for n, truth, _, _ in mine]
        expected = compute_metrics(truths, [probability for _, _, probability, _ in mine], "binary")
        assert found[version] == pytest.approx({"labelled": 50, "window": 50, **expected})


def test_feedback_repeated_after_a_crash_counts_once():
    prequential = Prequential(versions=versions_of())
    for _ in range(3):
        prequential.add(feedback(1, True, 0.75))

    found = values(prequential)
    assert found["labelled"] == found["window"] == 1


def test_a_revision_of_an_unseen_label_is_not_counted():
    prequential = Prequential(versions=versions_of())
    prequential.add(feedback(1, True, 0.75))
    prequential.add(feedback(2, True, 0.75, version=9, revises=False))

    assert values(prequential)["labelled"] == 1


def test_metrics_are_over_the_newest_labels():
    prequential = Prequential(window=10, versions=versions_of())
    for number in range(100):
        prequential.add(feedback(number, number >= 90, 0.9))

    found = values(prequential)
    assert (found["labelled"], found["window"], found["accuracy"]) == (100, 10, 1.0)


def test_only_the_newest_versions_have_metrics_and_older_ones_count_for_their_model():
    prequential = Prequential(max_versions=3, versions=versions_of())
    for number in range(10):
        prequential.add(feedback(number, True, 0.9, version=number))
    prequential.add(feedback(10, True, 0.9, version=1))

    found = {one.version: one.values["labelled"] for one in prequential.metrics(0, {})}
    assert found == {None: 11, 7: 1, 8: 1, 9: 1}


def test_versions_without_new_labels_are_left_out_even_if_the_metrics_are_not_read():
    prequential = Prequential(versions=versions_of())
    prequential.add(feedback(1, True, 0.75))

    prequential.metrics(0, {})

    assert [one.version for one in prequential.metrics(0, {})] == [None]


def predicted(outputs, *, label, number=1, model="m", version=1):
    prediction = JoinedPrediction(model=model, version=version, outputs=outputs)
    return Feedback(
        id=f"r{number}", label=label, predictions=(prediction,), event_time=0, label_time=1
    )


def test_an_unknown_version_is_not_scored_and_told():
    prequential = Prequential()
    prequential.add(feedback(1, True, 0.75))

    assert prequential.metrics(0, {}) == []
    assert prequential.unscored == 1


@pytest.mark.parametrize(
    ("classes", "negative", "positive", "foreign"),
    [
        ((), False, 1, "yes"),
        ((1, 2), 1, 2.0, 0),
        ((-1, 1), -1.0, 1, 0),
        (("no", "yes"), "no", "yes", True),
    ],
)
def test_labels_are_scored_by_the_classes_of_the_version(classes, negative, positive, foreign):
    prequential = Prequential(versions=versions_of(classes=classes))
    prequential.add(predicted({"probability": 0.2}, label=negative, number=1))
    prequential.add(predicted({"probability": 0.9}, label=positive, number=2))
    prequential.add(predicted({"probability": 0.9}, label=foreign, number=3))

    found = values(prequential)
    assert (found["labelled"], found["auc"], found["accuracy"]) == (2, 1.0, 1.0)
    assert prequential.unscored == 1


@pytest.mark.parametrize(
    ("fields", "outputs", "accuracy"),
    [
        ({"classes": (1, 2)}, {"label": 2, "margin": 0.5}, 1.0),
        ({"classes": (1, 2)}, {"label": 1, "margin": -0.5}, 0.0),
        ({"task": "multiclass", "classes": (1, 2, 3)}, {"label": "2"}, 1.0),
        (
            {"task": "multiclass", "classes": (1, 2, 3)},
            {"label": 3, "margins": {"1": 0.0, "2": 1.0, "3": 2.0}},
            0.0,
        ),
        (
            {"task": "multiclass", "classes": (1, 2)},
            {"label": 2, "probabilities": {"1": 0.25, "2": 0.75}},
            1.0,
        ),
    ],
)
def test_classes_are_scored_by_label_or_by_probabilities(fields, outputs, accuracy):
    prequential = Prequential(versions=versions_of(**fields))
    prequential.add(predicted(outputs, label=2.0))

    assert values(prequential)["accuracy"] == accuracy
    assert ("log_loss" in values(prequential)) is ("probabilities" in outputs)


@pytest.mark.parametrize(
    ("task", "outputs"),
    [
        ("multioutput_regression", {"values": {"a": 1.0}}),
        ("multioutput_classification", {"labels": {"a": "x"}}),
        ("clustering", {"label": 3, "distances": {"0": 1.0}}),
        ("transformation", {"features": {"a": 1.0}}),
    ],
)
def test_predictions_without_a_metric_are_only_counted(task, outputs):
    prequential = Prequential(versions=versions_of(task=task, classes=()))
    prequential.add(predicted(outputs, label=1))

    assert (prequential.metrics(0, {}), prequential.unscored) == ([], 1)


def test_rows_of_one_request_are_scored_apart():
    prequential = Prequential(versions=versions_of())
    for row, label in enumerate((True, False, True)):
        prequential.add(feedback(1, label, 0.9, row=row))

    assert values(prequential)["window"] == 3


def test_a_newer_version_of_another_task_starts_the_metrics_again():
    cards = {1: make_card(), 2: make_card(task="regression", classes=())}
    versions = VersionClasses(lambda _model, version: cards.get(version))
    prequential = Prequential(versions=versions)
    prequential.add(feedback(1, True, 0.9, version=1))
    prequential.add(predicted({"value": 3.0}, label=1, number=2, version=2))
    prequential.add(feedback(3, True, 0.9, version=1))

    assert values(prequential) == pytest.approx(
        {"labelled": 1, "window": 1, "mae": 2.0, "rmse": 2.0}
    )
    assert prequential.unscored == 1


@pytest.mark.slow
def test_the_numbers_of_models_and_versions_are_bounded():
    card = make_card()
    prequential = Prequential(versions=VersionClasses(lambda *_: card))
    for number in range(3000):
        model, version = f"m{number % 100}", number % 37
        prequential.add(
            predicted({"probability": 0.5}, label=True, number=number, model=model, version=version)
        )

    assert len(prequential._models) == MAX_MODELS
    assert sum(map(len, prequential._versions.values())) <= MAX_VERSION_WINDOWS
    assert len(prequential.metrics(0, {})) <= MAX_MODELS + MAX_VERSION_WINDOWS


def test_a_window_of_many_classes_keeps_two_probabilities_a_row():
    names = tuple(f"c{number}" for number in range(1000))
    prequential = Prequential(versions=versions_of(task="multiclass", classes=names))
    probabilities = dict.fromkeys(names, 0.0005) | {"c7": 0.5}
    for number in range(10):
        outputs = {"label": "c7", "probabilities": probabilities}
        prequential.add(predicted(outputs, label="c3", number=number))

    (window,) = prequential._models.values()
    assert {len(prediction) for _, prediction in window.pairs.values()} == {2}
    assert values(prequential)["log_loss"] == pytest.approx(-log(0.0005))
