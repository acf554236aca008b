"""What a process of a shared search does next: repeat a lost trial, promote one, or begin another.

Asynchronous successive halving: L. Li et al., "A system for massively parallel hyperparameter
tuning", MLSys 2020. Pure.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from modstream.models.training.folds import RUNG_FACTOR
from modstream.models.training.study import Candidate, StudyTrial

MAX_ATTEMPTS = 2
"""How often a trial is taken whose processes die."""
_PRESENT: Final = frozenset({"waiting", "running", "done", "failed"})


def started_count(trials: Sequence[StudyTrial], first_stride: int) -> int:
    """Return the number of models that the search has begun with."""
    return len({one.candidate for one in trials if one.candidate.stride == first_stride})


def has_earlier_twin(number: int, candidate: Candidate, trials: Sequence[StudyTrial]) -> bool:
    """Return whether a trial before the one with a number has the same candidate."""
    return any(
        one.candidate == candidate and one.number < number and one.state in _PRESENT
        for one in trials
    )


def due_repetitions(trials: Sequence[StudyTrial]) -> Iterator[Candidate]:
    """Yield the candidates whose process has died, unless they have been tried often enough."""
    present = {one.candidate for one in trials if one.state in _PRESENT}
    lost = Counter(one.candidate for one in trials if one.state == "abandoned")
    for candidate, attempts in lost.items():
        if candidate not in present and attempts < MAX_ATTEMPTS:
            yield candidate


def due_promotions(
    trials: Sequence[StudyTrial], strides: Sequence[int], *, higher_is_better: bool
) -> Iterator[StudyTrial]:
    """Yield the trials that are due for more rows, those with most rows first.

    They are the best third of each rung so far, and the best of each kind.
    """
    known = {one.candidate for one in trials}
    for stride, after in reversed(list(pairwise(strides))):
        done = [one for one in trials if one.state == "done" and one.candidate.stride == stride]
        for one in _best_of(rank(done, higher_is_better=higher_is_better)):
            if one.candidate._replace(stride=after) not in known:
                yield one


def rank(trials: Sequence[StudyTrial], *, higher_is_better: bool) -> list[StudyTrial]:
    """Return trials that are done, the best first: those on most rows, and then by mean score."""
    sign = -1 if higher_is_better else 1
    return sorted(
        trials,
        key=lambda one: (one.candidate.stride, sign * sum(one.scores) / len(one.scores)),
    )


def _best_of(ranked: Sequence[StudyTrial]) -> Iterator[StudyTrial]:
    kept = len(ranked) // RUNG_FACTOR
    kinds: set[str] = set()
    for place, one in enumerate(ranked):
        if place < kept or one.candidate.kind not in kinds:
            yield one
        kinds.add(one.candidate.kind)
