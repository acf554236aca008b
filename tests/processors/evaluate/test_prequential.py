"""Prequential metrics by model and version, also after a label was revised."""

from random import Random

import pytest

from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.models.evaluation.metrics import compute_metrics
from modstream.processors.evaluate.prequential import Prequential


def feedback(number, label, probability, version=1, **more):
    prediction = JoinedPrediction(model="m", version=version, outputs={"probability": probability})
    return Feedback(
        id=f"r{number}", label=label, predictions=(prediction,), event_time=0, label_time=1, **more
    )


def values(prequential):
    """Return the metrics of the model, over all versions."""
    return prequential.metrics(0, {})[0].values


def test_a_revised_label_corrects_the_metrics_of_the_version_that_predicted():
    random, prequential = Random(1), Prequential()
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
    prequential = Prequential()
    for _ in range(3):
        prequential.add(feedback(1, True, 0.75))

    found = values(prequential)
    assert found["labelled"] == found["window"] == 1


def test_a_revision_of_an_unseen_label_is_not_counted():
    prequential = Prequential()
    prequential.add(feedback(1, True, 0.75))
    prequential.add(feedback(2, True, 0.75, version=9, revises=False))

    assert values(prequential)["labelled"] == 1


def test_metrics_are_over_the_newest_labels():
    prequential = Prequential(window=10)
    for number in range(100):
        prequential.add(feedback(number, number >= 90, 0.9))

    found = values(prequential)
    assert (found["labelled"], found["window"], found["accuracy"]) == (100, 10, 1.0)


def test_only_the_newest_versions_have_metrics_and_older_ones_count_for_their_model():
    prequential = Prequential(max_versions=3)
    for number in range(10):
        prequential.add(feedback(number, True, 0.9, version=number))
    prequential.add(feedback(10, True, 0.9, version=1))

    found = {one.version: one.values["labelled"] for one in prequential.metrics(0, {})}
    assert found == {None: 11, 7: 1, 8: 1, 9: 1}


def test_versions_without_new_labels_are_left_out_even_if_the_metrics_are_not_read():
    prequential = Prequential()
    prequential.add(feedback(1, True, 0.75))

    prequential.metrics(0, {})

    assert [one.version for one in prequential.metrics(0, {})] == [None]
