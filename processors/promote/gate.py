"""The gate: which member of a family of models serves. Pure: losses in, decisions out.

A challenger is promoted when a sequential test on paired losses says that it is better
(`processors/promote/sequential_test.py`); whenever one looks, the chance of a wrong promotion is
bounded. An alarm takes the champion back to the last good version: labels contradict it
(`processors/promote/label_flip.py`), or its errors rise against its own past
(`models/evaluation/drift.py`) and it has not proved better than that version all the same. When
labels agree again with what is held, the one who was suspended comes back. No difference of two
means decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modstream.models.evaluation.drift import Change, Watch
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.label_flip import Answered, Doubt, Turn
from modstream.processors.promote.sequential_test import Paired, log_wealth, spent
from modstream.processors.promote.settings import GateSettings

GOOD = "good"
"""The member that stands for the last good version."""

Floats = npt.NDArray[np.float64]
NOTHING: Floats = np.empty(0)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why labels and champion may not go together: its errors rose, or else they contradict it."""

    rise: Change | None


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
    counts the labels of this reign, `calm` those since its last alarm, `resting` those still to
    come before anyone is promoted. `suspended` has been rolled back for an alarm. `turn` tells
    whether the labels weighed last began to contradict the champion, or ceased to.
    """

    champion: str
    settings: GateSettings = field(default_factory=GateSettings)
    round: int = 1
    seen: int = 0
    calm: int = 0
    resting: int = 0
    alarms: int = 0
    suspended: str | None = None
    turn: Turn | None = None
    _trials: dict[str, Trial] = field(default_factory=dict)
    _watch: Watch = field(init=False)
    _doubt: Doubt = field(init=False)

    def __post_init__(self) -> None:
        """Watch the champion from the beginning."""
        self._watch = self._watcher()
        self._doubt = Doubt(self.settings.doubt)

    @property
    def is_contradicted(self) -> bool:
        """Whether labels look turned round."""
        return self._doubt.is_turned

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

    def weigh(
        self,
        losses: Mapping[str, Floats],
        errors: Floats = NOTHING,
        answered: Answered | None = None,
        labels: int | None = None,
    ) -> Decision | None:
        """Take what came of the members' answers to the same labels; a decision if there is one.

        Whoever is missing among the losses was not asked: nothing is held against or for it.

        Args:
            losses: of each member, (n,), of labels or of pairs of them.
            errors: the champion's, whose rise is an alarm.
            answered: what the champion said of a binary task.
            labels: how many they were, if not n.
        """
        served = losses.get(self.champion)
        if served is None:
            return None
        rested = self.resting <= 0
        self._count(len(served) if labels is None else labels)
        alarm = self._heard(errors, answered)
        for name in self._candidates(losses, rested=rested):
            trial = self._trials.setdefault(name, self._trial(losses))
            trial.add(served, losses[name], self.settings.window)
        return self._alarmed(losses, alarm) or self._won(losses) or self._calmed(losses)

    def renew(self, member: str) -> None:
        """A member is another model from now on: what was held for or against it counts no more."""
        if member in self._trials:
            self._trials[member].renew()

    def _count(self, labels: int) -> None:
        self.seen += labels
        self.calm += labels
        self.resting -= labels

    def _heard(self, errors: Floats, answered: Answered | None) -> Alarm | None:
        """An alarm of these labels; what agreed with such labels speaks for nobody who waits."""
        rise = self._watch.add(errors.tolist())
        self.turn = None if answered is None else self._doubt.add(answered)
        is_new = rise is not None or (self.turn is not None and self.turn.is_turned)
        if is_new or self.is_contradicted:
            self.calm = 0
            if self.suspended is not None and self.resting > 0:
                self._trials.pop(self.suspended, None)
        self.alarms += is_new
        return Alarm(None if self.is_contradicted else rise) if is_new else None

    def _candidates(self, losses: Mapping[str, Floats], *, rested: bool) -> Iterable[str]:
        always = {GOOD, self.suspended}
        return (name for name in losses if name != self.champion and (rested or name in always))

    def _trial(self, losses: Mapping[str, Floats]) -> Trial:
        """A challenger's share of alpha is that of one among all; the good version has its own."""
        challengers = max(1, sum(name not in (self.champion, GOOD) for name in losses))
        return Trial(self.settings.alpha / challengers, self.round)

    def _alarmed(self, losses: Mapping[str, Floats], alarm: Alarm | None) -> Decision | None:
        if alarm is None or self.champion == GOOD or GOOD not in losses:
            return None
        is_spared = alarm.rise is not None and self._trials[GOOD].is_lost()
        return None if is_spared else self._decide(GOOD, alarm)

    def _calmed(self, losses: Mapping[str, Floats]) -> Decision | None:
        """The one who was suspended, once labels have agreed with what is held for long enough."""
        name = self.suspended
        if name is None or name not in losses:
            return None
        if self.turn is not None and not self.turn.is_turned:
            return self._decide(name, calm=self.turn.since)
        if self.calm < self.settings.calm:
            return None
        return None if self._trials[name].is_lost() else self._decide(name, calm=self.calm)

    def _won(self, losses: Mapping[str, Floats]) -> Decision | None:
        """The winner with the greatest gain, if there is one."""
        won = [
            name
            for name, trial in self._trials.items()
            if name in losses and self._may_win(name, trial) and trial.is_won(self.settings.margin)
        ]
        best = max(won, key=lambda name: self._trials[name].paired.gain, default=None)
        return None if best is None else self._decide(best)

    def _may_win(self, name: str, trial: Trial) -> bool:
        """Whether a member may be promoted now: being better for a day is not enough."""
        if name in {self.champion, GOOD} or trial.paired.count < self.settings.least:
            return False
        return name != self.suspended or self.resting <= 0

    def _decide(self, member: str, alarm: Alarm | None = None, calm: int | None = None) -> Decision:
        trial = self._trials.get(member) or Trial(self.settings.alpha, self.round)
        rise = alarm.rise if alarm is not None else None
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
            doubt=self.settings.doubt if alarm is not None and rise is None else None,
            calm=calm,
        )
        self._begin(member)
        return decision

    def _begin(self, champion: str) -> None:
        """A new reign: all tests begin anew, with all of alpha."""
        self.suspended = self.champion if champion == GOOD else None
        self.champion = champion
        self.round, self.seen, self.calm = 1, 0, 0
        self.resting = self.settings.cool_down if champion == GOOD else 0
        self._trials.clear()
        self._watch = self._watcher()
        if champion != GOOD:
            self._doubt.accept()

    def _watcher(self) -> Watch:
        return Watch(self.settings.detector, self.settings.sensitivity)
