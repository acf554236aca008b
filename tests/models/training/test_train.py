"""A challenger is searched, tested on the newest rows, and refused for a reason."""

import random
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from modstream.models.errors import TooFewRows, UnknownMetric
from modstream.models.runtimes.runtime import load
from modstream.models.training.dataset import split
from modstream.models.training.search_space import ensembles
from modstream.models.training.train import Interval, duel, faults_of, train
from tests.models.training.training_tables import NUMBERS, QUICK, silent, table


@pytest.fixture(scope="module")
def trained():
    return train(table(), QUICK, silent)


def test_the_best_of_every_kind_and_two_ensembles_are_tried(trained):
    assert {one.kind for one in trained.candidates} == {
        *("logistic", "forest", "boosting"),
        *("average", "stack"),
    }
    scores = [one.score for one in trained.candidates]
    assert scores == sorted(scores, reverse=True)
    assert all(len(one.scores) == 2 for one in trained.candidates)


def test_a_good_challenger_is_accepted(trained):
    assert trained.accepted
    assert (trained.metric, trained.gain) == ("auc", None)
    assert trained.figures["auc"] > 0.9
    assert trained.draft.metrics["trained_on"] == 240


def test_what_is_exported_answers_as_it_was_tested(trained):
    _, newest = split(table(), QUICK)
    draft, artifact = trained.draft, trained.artifact

    found = load(artifact, draft.card(2, artifact)).predict(newest.batch)

    assert (draft.runtime, draft.parent, draft.classes) == ("onnx", 1, (False, True))
    np.testing.assert_allclose(found, trained.answers, atol=1e-4)


@pytest.mark.parametrize(
    ("task", "metric", "good"), [("multiclass", "accuracy", 0.5), ("regression", "r2", 0.8)]
)
def test_classes_and_values_are_trained_alike(task, metric, good):
    told = []

    found = train(
        table(task=task, schema=NUMBERS),
        replace(QUICK, trials=1),
        lambda *doing: told.append(doing),
    )

    assert found.metric == metric
    assert found.figures[metric] > good
    assert load(found.artifact, found.draft.card(2, found.artifact)).name == "onnx"
    assert told[-1] == ("fitting and exporting the best", 1.0)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_ensembles_are_made_of_two_or_more(task):
    leaders = {"one": Ridge(), "two": Ridge(alpha=2.0)}

    assert set(ensembles(task, leaders)) == {"average", "stack"}
    assert ensembles(task, {"one": Ridge()}) == {}


def test_too_few_rows_are_refused_before_anything_is_tried():
    told = []

    with pytest.raises(TooFewRows):
        train(table(50), QUICK, lambda *doing: told.append(doing))

    assert told == []


def test_a_metric_of_another_task_is_refused():
    with pytest.raises(UnknownMetric, match="'r2' does not measure this task: take auc, log_loss"):
        train(table(), replace(QUICK, metric="r2"), silent)


@pytest.mark.parametrize(
    ("metric", "value", "threshold", "refused"),
    [
        ("auc", 0.7, 0.8, True),
        ("auc", 0.8, 0.8, False),
        ("mae", 3.0, 2.0, True),
        ("mae", 2.0, 2.0, False),
        ("auc", 0.1, None, False),
    ],
)
def test_the_business_threshold_has_a_side(metric, value, threshold, refused):
    faults = faults_of({metric: value}, metric, threshold, None)

    assert bool(faults) is refused


def test_what_could_not_be_measured_is_refused():
    (fault,) = faults_of({"mae": 0.0}, "r2", None, None)

    assert fault.startswith("r2 is undefined on the held-back rows")


def test_a_champion_that_is_surely_better_stays():
    whole = table(200)
    served = [0.9 if label else 0.1 for label in whole.labels]
    draw = random.Random(0)
    rivals = [draw.random() for _ in served]

    champion, rival, gain = duel(replace(whole, served=served), rivals, "auc", QUICK)

    assert (champion["auc"], gain.high < 0) == (1.0, True)
    (fault,) = faults_of(rival, "auc", None, gain)
    assert fault.startswith("the champion's auc is better by 0.")


def test_a_difference_that_may_be_chance_is_no_reason():
    whole = table(100)
    draw = random.Random(0)
    served, rivals = ([draw.random() for _ in whole.labels] for _ in range(2))

    _, _, gain = duel(replace(whole, served=served), rivals, "auc", QUICK)

    assert gain.low < 0 < gain.high
    assert faults_of({"auc": 0.5}, "auc", None, gain) == []


def test_a_smaller_error_is_a_gain():
    whole = table(100, task="regression", schema=NUMBERS)
    served = [float(label) + 1 for label in whole.labels]

    _, _, gain = duel(replace(whole, served=served), list(whole.labels), "mae", QUICK)

    assert gain == pytest.approx(Interval(1.0, 1.0))


def test_a_champion_that_hardly_answered_is_not_compared():
    whole = table(100)
    served = [0.5] * 10 + [None] * 90

    assert duel(replace(whole, served=served), [0.5] * 100, "auc", QUICK) == ({}, {}, None)
