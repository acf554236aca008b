"""A study of Optuna that several processes share: in a file, or in a database.

Each process takes trials, and says every few seconds that it lives. A trial whose process no longer
does so is abandoned, and may be taken again.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from secrets import token_hex
from socket import gethostname
from threading import Event, Thread
from time import monotonic
from typing import Any, Literal, NamedTuple, Self

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from modstream.models.training.errors import StudyMismatch, StudyUnusable
from modstream.models.training.masked_urls import mask_passwords
from modstream.models.training.study_storage import open_storage, usable_storage

PULSE, SCORED_ON = "pulse of ", "scored on"

StudyState = Literal["waiting", "running", "done", "failed", "abandoned", "repeated"]
STATES: Mapping[TrialState, StudyState] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "repeated",
    TrialState.FAIL: "abandoned",
}


class PulseTiming(NamedTuple):
    """How often a process says that it lives, in seconds, and when another one counts as dead.

    It does if its pulse does not change for `dead_seconds`, by the clock of the one that looks.
    """

    seconds: float = 5.0
    dead_seconds: float = 30.0
    clock: Callable[[], float] = monotonic


DEFAULT_TIMING = PulseTiming()


class Candidate(NamedTuple):
    """A kind of model with hyperparameters, and the share of rows that it is fitted on."""

    kind: str
    hyperparameters: tuple[tuple[str, Any], ...]
    stride: int

    @classmethod
    def of(cls, kind: str, hyperparameters: Mapping[str, Any], stride: int) -> Self:
        """Return the candidate with these hyperparameters, in the order of their names."""
        return cls(kind, tuple(sorted(hyperparameters.items())), stride)


@dataclass(frozen=True, slots=True)
class StudyTrial:
    """What a study knows of a trial; `scores` are those of the folds, `seconds` of a processor."""

    number: int
    candidate: Candidate
    state: StudyState
    process: str = ""
    scores: tuple[float, ...] = ()
    seconds: float = 0.0


class Taken(NamedTuple):
    """A trial that this process has taken."""

    trial: Trial
    candidate: Candidate


class SharedStudy:
    """One study; use it as a context manager, inside which this process says that it lives.

    `location` is a file, or the URL of a database as SQLAlchemy takes it. All methods raise
    `StudyUnusable` if it cannot be read or written.
    """

    def __init__(
        self,
        location: str,
        name: str,
        scored_on: str,
        *,
        higher_is_better: bool,
        timing: PulseTiming = DEFAULT_TIMING,
    ) -> None:
        """Open a study, or create it.

        Args:
            location: a file or a URL.
            name: its name there.
            scored_on: a hash of rows and settings, which all its processes have.
            higher_is_better: whether the greatest score is the best.
            timing: when this process says that it lives, and another one counts as dead.

        Raises:
            StudyUnusable: the file or database cannot be read or written.
            StudyMismatch: it has trials on other rows, or with other settings.
        """
        self.location = mask_passwords(location)
        self.process = f"{gethostname()}-{os.getpid()}-{token_hex(4)}"
        self._timing = timing
        self._pulses: dict[str, tuple[int, float]] = {}
        self._stop = Event()
        self._heart = Thread(target=self._beat, name="study-pulse", daemon=True)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with self._usable():
            self._study: Study = optuna.create_study(
                storage=open_storage(location),
                study_name=name,
                direction="maximize" if higher_is_better else "minimize",
                sampler=RandomSampler(),
                load_if_exists=True,
            )
            found = self._study.user_attrs.get(SCORED_ON)
            if found is None:
                self._study.set_user_attr(SCORED_ON, scored_on)
        if found not in {None, scored_on}:
            raise StudyMismatch(self.location, name)

    def __enter__(self) -> Self:
        self._pulse(0)
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._heart.join()

    def trials(self) -> list[StudyTrial]:
        """Return all trials by number; those of dead processes are abandoned."""
        with self._usable():
            attributes = self._study.user_attrs
            found = [_read_trial(one) for one in self._study.get_trials(deepcopy=False)]
        dead = [one for one in found if one.state == "running" and self._is_dead(one, attributes)]
        if not dead:
            return found
        for one in dead:
            self._finish(one.number, TrialState.FAIL)
        return self.trials()

    def take(self, candidate: Candidate | None) -> Taken:
        """Take a trial: one that waits, or else that of a candidate, if there is one.

        Another process may take the candidate first; then this one gets another trial that waits.
        """
        with self._usable():
            if candidate is not None:
                self._study.enqueue_trial({}, user_attrs=_attributes(candidate))
            trial = self._study.ask()
            trial.set_user_attr("process", self.process)
            if "kind" not in trial.user_attrs and candidate is not None:
                # Another process has emptied the queue meanwhile.
                for name, value in _attributes(candidate).items():
                    trial.set_user_attr(name, value)
            return Taken(trial, _candidate_of(trial.user_attrs))

    def complete(self, taken: Taken, scores: Sequence[float], seconds: float) -> None:
        """Record the scores of the folds of a trial; without scores it has failed."""
        if not scores:
            self.fail(taken)
            return
        with self._usable(), suppress(UpdateFinishedTrialError):
            for fold, score in enumerate(scores):
                taken.trial.report(score, fold)
            taken.trial.set_user_attr("seconds", seconds)
        self._finish(taken.trial.number, TrialState.COMPLETE, sum(scores) / len(scores))

    def fail(self, taken: Taken) -> None:
        """Record that a trial has failed, and is not to be taken again."""
        with self._usable(), suppress(UpdateFinishedTrialError):
            taken.trial.set_user_attr("failed", value=True)
        self._finish(taken.trial.number, TrialState.FAIL)

    def abandon(self, taken: Taken) -> None:
        """Record that a trial was not ended, and may be taken again."""
        self._finish(taken.trial.number, TrialState.FAIL)

    def drop(self, taken: Taken) -> None:
        """Record that another trial has the same candidate."""
        self._finish(taken.trial.number, TrialState.PRUNED)

    def _finish(self, number: int, state: TrialState, score: float | None = None) -> None:
        # A trial that another process has abandoned meanwhile is finished.
        with self._usable(), suppress(UpdateFinishedTrialError):
            self._study.tell(number, score, state, skip_if_finished=True)

    def _is_dead(self, trial: StudyTrial, attributes: Mapping[str, Any]) -> bool:
        if trial.process == self.process:
            return False
        pulse, now = int(attributes.get(PULSE + trial.process, -1)), self._timing.clock()
        known = self._pulses.get(trial.process)
        if known is None or known[0] != pulse:
            self._pulses[trial.process] = (pulse, now)
            return False
        return now - known[1] > self._timing.dead_seconds

    def _beat(self) -> None:
        count = 0
        while not self._stop.wait(self._timing.seconds):
            count += 1
            try:
                self._pulse(count)
            except StudyUnusable:
                # The thread that searches fails likewise, and says so.
                continue

    def _pulse(self, count: int) -> None:
        with self._usable():
            self._study.set_user_attr(PULSE + self.process, count)

    def _usable(self) -> AbstractContextManager[None]:
        return usable_storage(self.location)


def _attributes(candidate: Candidate) -> dict[str, Any]:
    return {
        "kind": candidate.kind,
        "hyperparameters": json.dumps(dict(candidate.hyperparameters)),
        "stride": candidate.stride,
    }


def _candidate_of(attributes: Mapping[str, Any]) -> Candidate:
    hyperparameters = json.loads(attributes.get("hyperparameters", "{}"))
    kind, stride = attributes.get("kind", ""), attributes.get("stride", 0)
    return Candidate.of(str(kind), hyperparameters, int(stride))


def _read_trial(one: FrozenTrial) -> StudyTrial:
    attributes, state = one.user_attrs, STATES[one.state]
    return StudyTrial(
        number=one.number,
        candidate=_candidate_of(attributes),
        state="failed" if state == "abandoned" and attributes.get("failed") else state,
        process=str(attributes.get("process", "")),
        scores=tuple(one.intermediate_values[at] for at in sorted(one.intermediate_values)),
        seconds=float(attributes.get("seconds", 0.0)),
    )
