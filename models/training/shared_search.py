"""A search that several processes share, also on several machines; see `study` and `study_steps`.

The trials are in the study; the predictions of a model stay in the process that has made them. The
process that ends the search fits the best models of others again, to combine and analyse them.
"""

import json
import time
from collections.abc import Callable, Iterator
from hashlib import sha256

from optuna.trial import FixedTrial

from modstream.models.evaluation.metrics import HIGHER_IS_BETTER
from modstream.models.training.budget import Budget
from modstream.models.training.data_hash import hash_rows
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.errors import NoUsableFold
from modstream.models.training.folds import TimeOrderedFolds
from modstream.models.training.proposals import Proposer
from modstream.models.training.search import (
    ROUND_FINALISTS,
    ProgressCallback,
    SearchResult,
    with_ensembles,
)
from modstream.models.training.search_space import SEARCH_SPACE
from modstream.models.training.settings import TrainSettings
from modstream.models.training.study import Candidate, SharedStudy, StudyTrial, Taken
from modstream.models.training.study_steps import (
    due_promotions,
    due_repetitions,
    has_earlier_twin,
    rank,
    started_count,
)
from modstream.models.training.trials import ModelTrial

POLL_SECONDS = 1.0
"""Interval in which trials of other processes are waited for."""
MAX_REFITTED = 8
"""How many of the best models have their predictions computed again, besides the best of each
kind."""
MAX_PROPOSALS = 8
"""How many new models are considered at a time: the first that the budget allows is tried."""
Pause = Callable[[float], None]


def search_in_study(
    location: str,
    dataset: LabelledDataset,
    metric: str,
    settings: TrainSettings,
    on_progress: ProgressCallback,
) -> SearchResult:
    """Share a search until the budget or the number of trials is used, then end it.

    Trials that other processes run then are waited for. All processes have the same rows, metric,
    folds and seed; each has a budget of its own, and the number of trials is that of all of them.

    Raises:
        NoUsableFold: no time-ordered fold has enough classes to fit and score on.
        StudyUnusable: the study cannot be read or written.
        StudyMismatch: the study has trials on other rows, or with other settings.
    """
    folds = TimeOrderedFolds(dataset, settings.folds, settings.threads)
    with open_study(location, dataset, metric, settings) as study:
        shared = SharedSearch(folds, metric, settings, study, on_progress)
        shared.run()
        shared.wait_for_others()
        return SearchResult(with_ensembles(shared.collect(), folds, metric), folds)


def join_study(
    location: str,
    dataset: LabelledDataset,
    metric: str,
    settings: TrainSettings,
    on_progress: ProgressCallback,
) -> int:
    """Take trials of a search that another process ends; return how many.

    Raises:
        NoUsableFold: no time-ordered fold has enough classes to fit and score on.
        StudyUnusable: the study cannot be read or written.
        StudyMismatch: the study has trials on other rows, or with other settings.
    """
    folds = TimeOrderedFolds(dataset, settings.folds, settings.threads)
    with open_study(location, dataset, metric, settings) as study:
        return SharedSearch(folds, metric, settings, study, on_progress).run()


def open_study(
    location: str, dataset: LabelledDataset, metric: str, settings: TrainSettings
) -> SharedStudy:
    """Return the study of a model in a file or a database; its name is that of the model."""
    fixed = {
        "rows": hash_rows(dataset),
        "metric": metric,
        "folds": settings.folds,
        "seed": settings.seed,
    }
    scored_on = sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()
    name = f"modstream {dataset.card.name}"
    return SharedStudy(location, name, scored_on, higher_is_better=metric in HIGHER_IS_BETTER)


class SharedSearch:
    """The part of one process in a shared search."""

    def __init__(
        self,
        folds: TimeOrderedFolds,
        metric: str,
        settings: TrainSettings,
        study: SharedStudy,
        on_progress: ProgressCallback,
        pause: Pause = time.sleep,
    ) -> None:
        self._folds, self._metric, self._study = folds, metric, study
        self._on_progress, self._pause = on_progress, pause
        self._budget = Budget(settings.budget_seconds, settings.budget_clock)
        self._limit, self._seed = settings.trials, settings.seed
        self._rises = metric in HIGHER_IS_BETTER
        self._strides = folds.strides()
        self._factories = SEARCH_SPACE[folds.task]
        # Each process proposes others; the known first ones are the same, and tried once.
        seed = int(sha256(f"{settings.seed} {study.process}".encode()).hexdigest()[:8], 16)
        self._proposer = Proposer(folds.task, seed)
        self._proposed: list[Candidate] = []
        self._own: dict[int, ModelTrial] = {}

    def run(self) -> int:
        """Take trials until the budget or the number of trials is used; return how many."""
        while True:
            trials = self._study.trials()
            is_waiting = any(one.state == "waiting" for one in trials)
            chosen = None if is_waiting else self._choose(trials)
            if is_waiting or chosen is not None:
                self._work(self._study.take(chosen))
            elif self._budget.allows() and any(one.state == "running" for one in trials):
                # Their results may promote further models.
                self._pause(POLL_SECONDS)
            else:
                return len(self._own)

    def wait_for_others(self) -> None:
        """Wait for the trials that other processes run now; those of dead ones end, too."""
        running = {one.number for one in self._study.trials() if one.state == "running"}
        while running:
            self._on_progress(f"waiting for {len(running)} trials of other processes", 1.0)
            self._pause(POLL_SECONDS)
            now = {one.number for one in self._study.trials() if one.state == "running"}
            running &= now

    def collect(self) -> list[ModelTrial]:
        """Return all trials that are done, at least one; the best of them have predictions.

        Raises:
            NoUsableFold: every trial has failed.
        """
        done = [one for one in self._study.trials() if one.state == "done"]
        if not done:
            raise NoUsableFold(len(self._folds.split(self._folds.scored_rows)))
        ranked = rank(done, higher_is_better=self._rises)
        kinds: set[str] = set()
        found = []
        for place, one in enumerate(ranked):
            kind, _, stride = one.candidate
            is_best = stride == ranked[0].candidate.stride and (
                place < MAX_REFITTED or kind not in kinds
            )
            kinds.add(kind)
            found.append(self._model_trial(one, fit=is_best))
        return found

    def _choose(self, trials: list[StudyTrial]) -> Candidate | None:
        """Return the next candidate that the budget allows; None if there is none."""
        is_first = not any(one.state in {"done", "failed"} for one in trials)
        for candidate, seconds in self._due(trials):
            if is_first or self._budget.allows(seconds):
                return candidate
        return None

    def _due(self, trials: list[StudyTrial]) -> Iterator[tuple[Candidate, float]]:
        """Yield what is to be done, with its seconds by an estimate, the most urgent first."""
        for candidate in due_repetitions(trials):
            yield candidate, _mean_seconds(trials, candidate)
        for one in due_promotions(trials, self._strides, higher_is_better=self._rises):
            after = self._strides[self._strides.index(one.candidate.stride) + 1]
            yield one.candidate._replace(stride=after), one.seconds * one.candidate.stride / after
        if started_count(trials, self._strides[0]) < self._limit:
            for _ in range(MAX_PROPOSALS):
                candidate = self._propose(trials)
                yield candidate, _mean_seconds(trials, candidate)

    def _propose(self, trials: list[StudyTrial]) -> Candidate:
        """Return a candidate for the first rung that the study does not have."""
        known = {one.candidate for one in trials}
        while True:
            if not self._proposed:
                done = [one for one in trials if one.state == "done"]
                ranked = rank(done, higher_is_better=self._rises)[:ROUND_FINALISTS]
                best = [self._model_trial(one, fit=False) for one in ranked]
                self._proposed = [
                    Candidate.of(one.kind, one.hyperparameters, self._strides[0])
                    for one in self._proposer.propose(2 * ROUND_FINALISTS, best)
                ]
            candidate = self._proposed.pop(0)
            if candidate not in known:
                return candidate

    def _work(self, taken: Taken) -> None:
        """Evaluate a trial, unless another one has its candidate."""
        number, (kind, _, stride) = taken.trial.number, taken.candidate
        if has_earlier_twin(number, taken.candidate, self._study.trials()):
            self._study.drop(taken)
            return
        rows = "" if stride == 1 else f" on 1 of {stride} rows"
        self._on_progress(f"trying {kind}{rows}", self._budget.share())
        try:
            done = self._evaluate(taken.candidate)
        except Exception:
            self._study.fail(taken)
            raise
        except BaseException:
            self._study.abandon(taken)
            raise
        self._own[number] = done
        self._study.complete(taken, done.scores, done.seconds)

    def _evaluate(self, candidate: Candidate) -> ModelTrial:
        kind, hyperparameters, stride = candidate
        estimator = self._factories[kind](FixedTrial(dict(hyperparameters)), self._seed)
        scores, outputs, seconds = self._folds.evaluate(estimator, stride, self._metric)
        return ModelTrial(kind, dict(hyperparameters), estimator, scores, stride, seconds, outputs)

    def _model_trial(self, one: StudyTrial, *, fit: bool) -> ModelTrial:
        """Return a trial of the study as the rest of the training takes it."""
        if one.number in self._own:
            return self._own[one.number]
        if fit:
            self._on_progress(f"fitting {one.candidate.kind} of another process again", 1.0)
            return self._evaluate(one.candidate)
        kind, hyperparameters, stride = one.candidate
        estimator = self._factories[kind](FixedTrial(dict(hyperparameters)), self._seed)
        return ModelTrial(kind, dict(hyperparameters), estimator, one.scores, stride, one.seconds)


def _mean_seconds(trials: list[StudyTrial], candidate: Candidate) -> float:
    """Return the mean time of the trials of the same kind on as many rows; 0 if there are none."""
    found = [
        one.seconds
        for one in trials
        if one.state == "done"
        and (one.candidate.kind, one.candidate.stride) == (candidate.kind, candidate.stride)
    ]
    return sum(found) / len(found) if found else 0.0
