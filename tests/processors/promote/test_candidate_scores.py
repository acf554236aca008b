"""Scores of candidates: AUC and log loss of all on the same labels."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from modstream.processors.promote.candidate_scores import CandidateScores
from tests.processors.small_fixtures import make_card

CARDS = {"one": make_card(), "other": make_card()}


def test_scores_over_several_batches_are_those_of_all_rows():
    rng, scores = np.random.default_rng(1), CandidateScores()
    labels = rng.random(3000) < 0.3
    one, other = (np.clip(labels * k + rng.random(3000), 0, 2) / 2 for k in (0.4, 0.8))

    for at in range(0, 3000, 700):
        batch = slice(at, at + 700)
        scores.add(CARDS, {"one": one[batch], "other": other[batch]}, labels[batch].tolist())

    for name, values in (("one", one), ("other", other)):
        found = scores.scores()[name]
        assert found.labels == 3000
        assert found.auc == pytest.approx(roc_auc_score(labels, values), abs=1e-4)
        assert found.log_loss == pytest.approx(log_loss(labels, np.clip(values, 1e-7, 1 - 1e-7)))


def test_a_row_that_one_candidate_cannot_answer_counts_for_none():
    scores = CandidateScores()

    answers = {"one": np.array([0.9, np.nan, 0.2]), "other": np.array([0.8, 0.5, 0.1])}
    scores.add(CARDS, answers, [True, True, False])

    assert [found.labels for found in scores.scores().values()] == [2, 2]
    assert scores.values()["other.auc"] == 1.0


def test_a_label_that_is_no_class_and_a_candidate_without_answers_do_not_count():
    scores = CandidateScores()

    scores.add(CARDS, {"one": np.array([0.9, 0.2]), "other": None}, ["x", False])

    assert {name: found.labels for name, found in scores.scores().items()} == {"one": 1}


def test_other_tasks_have_no_scores():
    scores = CandidateScores()

    scores.add({"one": make_card(task="regression", classes=())}, {"one": np.array([3.0])}, [2.0])

    assert scores.values() == {}


def test_figures_without_a_value_are_left_out():
    scores = CandidateScores()

    scores.add({"one": make_card()}, {"one": np.array([0.5])}, [True])

    assert set(scores.values()) == {"one.labels", "one.log_loss"}
