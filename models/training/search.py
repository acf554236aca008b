"""Search by successive halving over rows, within a budget, and ensembles of the best models.

Successive halving: K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and
hyperparameter optimization", AISTATS 2016. Many models are fitted on few rows, a third of them on
three times as many, and so on. Further rounds begin with neighbours of the best models so far,
after C. Wang et al., "FLAML: a fast and lightweight AutoML library", MLSys 2021.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from modstream.models.training.budget import Budget
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.ensembles import make_ensembles
from modstream.models.training.flaml_search import search_with_flaml
from modstream.models.training.folds import RUNG_FACTOR, TimeOrderedFolds
from modstream.models.training.proposals import Proposal, Proposer
from modstream.models.training.settings import TrainSettings
from modstream.models.training.trials import ModelTrial, rank_trials

ProgressCallback = Callable[[str, float], None]
"""Receives the current step and the completed share, 0 to 1."""

ROUND_FINALISTS = 3
"""How many models of a round reach the last rung, besides the best of each kind."""
SINGLE_RUNG_ROUND = 12
"""How many models are in a round if there is only one rung."""


class SearchResult(NamedTuple):
    """All trials, the best first, and the folds that they were compared on."""

    trials: list[ModelTrial]
    folds: TimeOrderedFolds


def search(
    dataset: LabelledDataset, metric: str, settings: TrainSettings, on_progress: ProgressCallback
) -> SearchResult:
    """Cross-validate models until the budget or the number of trials is used, then ensembles.

    Raises:
        NoUsableFold: no time-ordered fold has enough classes to fit and score on.
        SearcherMissing: the package of the searcher is not installed.
    """
    folds = TimeOrderedFolds(dataset, settings.folds, settings.threads)
    if settings.searcher == "flaml":
        on_progress("searching with FLAML", 0.0)
        found = search_with_flaml(folds, metric, settings)
        return SearchResult(with_ensembles(found, folds, metric), folds)
    budget = Budget(settings.budget_seconds, settings.budget_clock)
    halving = SuccessiveHalving(folds, metric, settings, budget, on_progress)
    return SearchResult(with_ensembles(halving.run(), folds, metric), folds)


def with_ensembles(
    trials: Sequence[ModelTrial], folds: TimeOrderedFolds, metric: str
) -> list[ModelTrial]:
    """Return trials and the ensembles of the best of them, the best first.

    Only trials with predictions are combined.
    """
    ranked = rank_trials(trials, metric)
    finalists = [one for one in ranked if one.stride == ranked[0].stride and one.outputs.size]
    return rank_trials([*ranked, *make_ensembles(finalists, folds, metric)], metric)


class SuccessiveHalving:
    """One search over the folds of a data set."""

    def __init__(
        self,
        folds: TimeOrderedFolds,
        metric: str,
        settings: TrainSettings,
        budget: Budget,
        on_progress: ProgressCallback,
    ) -> None:
        self._folds, self._metric, self._budget = folds, metric, budget
        self._on_progress = on_progress
        self._limit = settings.trials
        self._strides = folds.strides()
        self._proposer = Proposer(folds.task, settings.seed)
        self._started = 0
        self._first_costs: dict[str, float] = {}

    def run(self) -> list[ModelTrial]:
        """Return the trials of all rounds, at least one."""
        trials: list[ModelTrial] = []
        while self._started < self._limit and (not trials or self._budget.allows()):
            best = rank_trials(trials, self._metric)[:ROUND_FINALISTS]
            trials.extend(self._run_round(best))
        return trials

    def _run_round(self, best: Sequence[ModelTrial]) -> list[ModelTrial]:
        """Return each model of one round at the last rung that it has reached."""
        rungs = len(self._strides)
        size = ROUND_FINALISTS * RUNG_FACTOR ** (rungs - 1) if rungs > 1 else SINGLE_RUNG_ROUND
        size = min(size, self._limit - self._started)
        dropped: list[ModelTrial] = []
        first, *others = self._strides
        current: list[ModelTrial] = []
        for proposal in self._proposer.propose(size, best):
            is_first = not self._started and not current
            if is_first or self._budget.allows(self._first_costs.get(proposal.kind, 0.0)):
                current.append(self._evaluate(proposal, first))
                self._first_costs[proposal.kind] = current[-1].seconds
        self._started += size
        for stride in others:
            promoted = self._promote(current)
            reached = [self._advance(one, stride) for one in promoted]
            moved = [one for one in reached if one is not None]
            names = {id(one) for one, after in zip(promoted, reached, strict=True) if after}
            dropped.extend(one for one in current if id(one) not in names)
            current = moved
        return [*current, *dropped]

    def _promote(self, trials: Sequence[ModelTrial]) -> list[ModelTrial]:
        """Return the best third, and the best of each kind, the best first."""
        ranked = rank_trials(trials, self._metric)
        kept = ranked[: -(-len(ranked) // RUNG_FACTOR)]
        for one in ranked:
            if one.kind not in {other.kind for other in kept}:
                kept.append(one)
        return rank_trials(kept, self._metric)

    def _advance(self, trial: ModelTrial, stride: int) -> ModelTrial | None:
        """Return a trial on more rows; None if the budget does not allow it."""
        if not self._budget.allows(trial.seconds * trial.stride / stride):
            return None
        return self._evaluate(Proposal(trial.kind, trial.hyperparameters, trial.estimator), stride)

    def _evaluate(self, proposal: Proposal, stride: int) -> ModelTrial:
        rows = "" if stride == 1 else f" on 1 of {stride} rows"
        self._on_progress(f"trying {proposal.kind}{rows}", self._budget.share())
        scores, outputs, seconds = self._folds.evaluate(proposal.estimator, stride, self._metric)
        return ModelTrial(
            proposal.kind,
            proposal.hyperparameters,
            proposal.estimator,
            scores,
            stride,
            seconds,
            outputs,
        )
