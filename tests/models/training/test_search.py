"""Successive halving, the choice of members, and the choice of the final model."""

from dataclasses import replace

import numpy as np
import pytest

from modstream.models.training.budget import Budget
from modstream.models.training.ensembles import choose_members, error_correlations
from modstream.models.training.errors import SearcherMissing
from modstream.models.training.flaml_search import search_with_flaml
from modstream.models.training.folds import TimeOrderedFolds
from modstream.models.training.proposals import Proposer
from modstream.models.training.search import SuccessiveHalving, search
from modstream.models.training.selection import order_by_simplicity
from modstream.models.training.settings import TrainSettings
from modstream.models.training.trials import ModelTrial, rank_trials
from tests.models.training.training_datasets import (
    NUMBERS,
    QUICK_SETTINGS,
    ignore_progress,
    make_dataset,
)


class FoldsStub:
    """Folds that score a proposal by its number of trees, and record what they are asked."""

    task = "binary"

    def __init__(self, strides=(9, 3, 1), seconds=1.0, score=None):
        self._strides, self._seconds = list(strides), seconds
        self._score = score or (lambda model: 0.5)
        self.asked = []

    def strides(self):
        return self._strides

    def evaluate(self, estimator, stride, _metric):
        self.asked.append((type(estimator).__name__, stride))
        score = self._score(estimator)
        return (score, score), np.zeros(4), self._seconds / stride


class CountingBudget:
    """A budget of a number of questions."""

    def __init__(self, steps):
        self.steps = steps
        self.estimates = []

    def allows(self, estimate=0.0):
        self.estimates.append(estimate)
        self.steps -= 1
        return self.steps >= 0

    def share(self):
        return 0.5


def halve(folds, settings, budget=None):
    budget = budget or Budget(1e9, "cpu")
    return SuccessiveHalving(folds, "auc", settings, budget, ignore_progress).run()


def test_a_third_is_promoted_and_the_best_of_each_kind():
    folds = FoldsStub(score=lambda model: getattr(model, "max_iter", 0) / 1000)

    trials = halve(folds, TrainSettings(trials=27))

    counts = {stride: sum(one == stride for _, one in folds.asked) for stride in (9, 3, 1)}
    assert counts[9] == 27
    assert 9 <= counts[3] <= 11
    assert 3 <= counts[1] <= 6
    assert len(trials) == 27
    assert {one.kind for one in trials if one.stride == 1} == {"boosting", "logistic", "forest"}


def test_the_best_trial_reaches_all_rows():
    folds = FoldsStub(score=lambda model: getattr(model, "max_iter", 0) / 1000)

    trials = halve(folds, TrainSettings(trials=27))

    iterations = [one.hyperparameters.get("max_iter", 0) for one in trials]
    best = max(range(len(trials)), key=lambda at: iterations[at])
    assert trials[best].stride == 1


def test_without_a_budget_one_model_is_tried_all_the_same():
    folds = FoldsStub()

    trials = halve(folds, TrainSettings(trials=50), Budget(0.0, "cpu"))

    assert folds.asked == [("HistGradientBoostingClassifier", 9)]
    assert [one.stride for one in trials] == [9]


def test_a_step_is_estimated_by_its_kind_and_its_rows():
    budget = CountingBudget(1000)

    halve(FoldsStub(seconds=9.0), TrainSettings(trials=9), budget)

    assert {round(one, 6) for one in budget.estimates if one} == {1.0, 3.0, 9.0}


def test_what_the_budget_does_not_allow_stays_on_its_rung():
    trials = halve(FoldsStub(), TrainSettings(trials=27), CountingBudget(27))

    assert {one.stride for one in trials} == {9, 3}


def test_few_rows_have_one_rung_and_many_have_more():
    folds = TimeOrderedFolds(make_dataset(schema=NUMBERS), 2, 1)

    assert folds.strides() == [1]
    folds.targets = np.zeros(300_000)
    assert folds.strides() == [27, 9, 3, 1]


def test_models_are_scored_on_the_newest_half_only():
    folds = TimeOrderedFolds(make_dataset(400, schema=NUMBERS), 4, 1)

    assert folds.scored_rows.tolist() == list(range(200, 400))


def test_the_same_seed_proposes_the_same():
    first, again = (Proposer("binary", 3).propose(8, ()) for _ in range(2))

    assert [one.hyperparameters for one in first] == [one.hyperparameters for one in again]
    assert [one.kind for one in first[:3]] == ["boosting", "logistic", "forest"]
    assert first[0].hyperparameters["max_leaf_nodes"] == 31


def test_later_proposals_are_near_the_best():
    proposer = Proposer("binary", 0)
    proposer.propose(3, ())
    good = {
        **proposer.propose(1, ())[0].hyperparameters,
        "max_leaf_nodes": 4,
        "learning_rate": 0.1,
    }
    best = trial("boosting", (0.7, 0.7), hyperparameters=good)

    near = [proposer.propose(1, [best])[0].hyperparameters for _ in range(20)]

    assert all(4 <= one["max_leaf_nodes"] <= 20 for one in near)
    assert np.std([np.log(one["learning_rate"]) for one in near]) < 0.8


def trial(kind, scores, outputs=(), stride=1, **fields):
    outputs = np.array(outputs, dtype=float)
    return ModelTrial(kind, fields.pop("hyperparameters", {}), None, scores, stride, 1.0, outputs)


class TargetsStub:
    """The targets of some scored rows."""

    task = "binary"

    def __init__(self, targets):
        self.targets = np.array(targets)
        self.scored_rows = np.arange(len(targets))


def test_members_are_the_best_that_err_differently():
    rng = np.random.default_rng(0)
    folds = TargetsStub(rng.integers(0, 2, 400))
    base, other, third = (rng.uniform(size=400) for _ in range(3))
    same = base + rng.normal(scale=1e-4, size=400)
    trials = [
        trial("boosting", (0.9,), base),
        trial("boosting", (0.89,), same),
        trial("forest", (0.88,), other),
        trial("logistic", (0.87,), third),
        trial("logistic", (0.2,), rng.uniform(size=400)),
    ]

    members = choose_members(trials, folds, "auc")

    assert [one.mean_score for one in members] == [0.9, 0.88, 0.87]
    correlations = error_correlations(trials[:2], folds)
    assert correlations[0, 1] > 0.999


def test_models_with_the_same_errors_do_not_fill_an_ensemble():
    folds = TargetsStub([0, 1] * 20)
    outputs = np.linspace(0, 1, 40)

    assert len(choose_members([trial("a", (0.9,), outputs)] * 4, folds, "auc")) == 1


def test_the_simplest_of_the_equally_good_is_chosen():
    single = trial("boosting", (0.700, 0.690, 0.720))
    average = trial("average", (0.701, 0.689, 0.722))
    stack = trial("stack", (0.702, 0.688, 0.723))

    assert order_by_simplicity([stack, average, single], "auc")[0] is single


def test_a_clearly_better_ensemble_is_chosen():
    single = trial("boosting", (0.700, 0.690, 0.720))
    stack = trial("stack", (0.721, 0.709, 0.742))

    assert order_by_simplicity([single, stack], "auc") == [stack, single]


def test_a_trial_on_fewer_rows_is_never_as_good():
    full, few = trial("forest", (0.6, 0.6)), trial("boosting", (0.9, 0.9), stride=3)

    assert rank_trials([few, full], "auc") == [full, few]
    assert order_by_simplicity([few, full], "auc")[0] is full


def test_a_missing_searcher_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "flaml.automl", None)
    folds = TimeOrderedFolds(make_dataset(schema=NUMBERS), 2, 1)

    with pytest.raises(SearcherMissing, match=r"install it with pip install 'modstream\[automl\]'"):
        search_with_flaml(folds, "auc", QUICK_SETTINGS)


def test_a_search_has_scores_of_every_fold_and_outputs_of_all_scored_rows():
    trials, folds = search(
        make_dataset(schema=NUMBERS), "auc", replace(QUICK_SETTINGS, trials=2), ignore_progress
    )

    assert all(len(one.scores) == 2 for one in trials)
    assert all(len(one.outputs) == len(folds.scored_rows) for one in trials)
    assert {"average", "stack"} < {one.kind for one in trials}
