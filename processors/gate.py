"""The gate: which member of a family of models serves. Pure: losses in, decisions out.

A challenger is promoted when a sequential test on paired losses says that it is better
(`processors/evidence.py`); whenever one looks, the chance of a wrong promotion is bounded. Two
things take the champion back to the last good version: that version wins the same test, or the
champion's errors rise against its own past (`models/drift.py`), unless it has proved better than
that version all the same. No difference of two means decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.drift import Rise, Watch
from processors.decision import Decision
from processors.evidence import Paired, log_wealth, spent
from processors.gate_settings import GateSettings

GOOD = "good"
"""The member that stands for the last good version."""

Floats = npt.NDArray[np.float64]


@dataclass(slots=True)
class Trial:
    """One member's tests against the champion, one after another: each spends less of alpha."""

    alpha: float
    number: int = 1
    paired: Paired = field(default_factory=Paired)

    @property
    def level(self) -> float:
        """What the present test may spend."""
        return spent(self.alpha, self.number)

    def add(self, champion: Floats, member: Floats, window: int) -> None:
        """Take paired losses (n,); begin anew first where the last test has had its `window`."""
        if self.paired.count >= window:
            self.renew()
        self.paired.add(champion, member)

    def renew(self) -> None:
        """Begin the next test."""
        self.paired = Paired()
        self.number += 1

    def is_lost(self) -> bool:
        """Whether the champion has proved better than the member."""
        sums = self.paired
        loss = sums.challenger - sums.champion
        return bool(log_wealth(sums.count, loss, sums.squares, 0.0) >= -np.log(self.level))

    def is_won(self, margin: float) -> bool:
        """Whether the member is better by more than the margin."""
        return bool(self.paired.log_wealth(margin) >= -np.log(self.level))


@dataclass(slots=True)
class Gate:
    """The one who decides for a family.

    `champion` is the member that serves: GOOD while the last good version is held. `round` is the
    number of the first test of each trial, above 1 where an earlier process spent of alpha. `seen`
    counts the labels of this reign, `resting` those still to come before anyone is promoted.
    """

    champion: str
    settings: GateSettings = field(default_factory=GateSettings)
    round: int = 1
    seen: int = 0
    resting: int = 0
    alarms: int = 0
    _trials: dict[str, Trial] = field(default_factory=dict)
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        """Watch the champion from the beginning."""
        self._watch = self._watcher()

    @property
    def trials(self) -> Mapping[str, Paired]:
        """The sums of each member's present test."""
        return {name: trial.paired for name, trial in self._trials.items()}

    @property
    def leader(self) -> str | None:
        """The challenger with the greatest gain so far, if any has been tested."""
        gains = {name: one.paired.gain for name, one in self._trials.items() if name != GOOD}
        return max(gains, key=gains.__getitem__, default=None)

    @property
    def number(self) -> int:
        """The highest number of a test so far; a successor goes on after it."""
        return max((trial.number for trial in self._trials.values()), default=self.round)

    def weigh(self, losses: Mapping[str, Floats], errors: Floats) -> Decision | None:
        """Take the losses of all members on the same labels, each (n,), and the champion's errors.

        Whoever is missing among the losses was not asked: nothing is held against or for it.
        """
        served = losses.get(self.champion)
        if served is None:
            return None
        rested = self.resting <= 0
        self.seen += len(served)
        self.resting -= len(served)
        rise = self._watch.add(errors.tolist())
        self.alarms += rise is not None
        for name in self._candidates(losses, rested=rested):
            trial = self._trials.setdefault(name, self._trial(losses))
            trial.add(served, losses[name], self.settings.window)
        return self._alarmed(losses, rise) or self._won(losses)

    def renew(self, member: str) -> None:
        """A member is another model from now on: what was held for or against it counts no more."""
        if member in self._trials:
            self._trials[member].renew()

    def _candidates(self, losses: Mapping[str, Floats], *, rested: bool) -> Iterable[str]:
        return (name for name in losses if name != self.champion and (rested or name == GOOD))

    def _trial(self, losses: Mapping[str, Floats]) -> Trial:
        """A challenger's share of alpha is that of one among all; the good version has its own."""
        challengers = max(1, sum(name not in (self.champion, GOOD) for name in losses))
        return Trial(self.settings.alpha / challengers, self.round)

    def _alarmed(self, losses: Mapping[str, Floats], rise: Rise | None) -> Decision | None:
        if rise is None or self.champion == GOOD or GOOD not in losses:
            return None
        return None if self._trials[GOOD].is_lost() else self._decide(GOOD, rise)

    def _won(self, losses: Mapping[str, Floats]) -> Decision | None:
        """The winner with the greatest gain, if there is one."""
        won = [
            name
            for name, trial in self._trials.items()
            if name in losses and name != self.champion and trial.is_won(self.settings.margin)
        ]
        best = max(won, key=lambda name: self._trials[name].paired.gain, default=None)
        return None if best is None else self._decide(best)

    def _decide(self, member: str, rise: Rise | None = None) -> Decision:
        trial = self._trials[member]
        decision = Decision(
            action="rollback" if member == GOOD else "promote",
            member=member,
            former=self.champion,
            window=self.seen,
            count=trial.paired.count,
            champion_loss=trial.paired.champion / max(1, trial.paired.count),
            member_loss=trial.paired.challenger / max(1, trial.paired.count),
            bound=trial.paired.lower_bound(trial.level),
            alpha=trial.level,
            error_before=None if rise is None else rise.before,
            error_after=None if rise is None else rise.after,
        )
        self._begin(member)
        return decision

    def _begin(self, champion: str) -> None:
        """A new reign: all tests begin anew, with all of alpha."""
        self.champion = champion
        self.round, self.seen = 1, 0
        self.resting = self.settings.cool_down if champion == GOOD else 0
        self._trials.clear()
        self._watch = self._watcher()

    def _watcher(self) -> Watch:
        return Watch(self.settings.detector, self.settings.sensitivity)
