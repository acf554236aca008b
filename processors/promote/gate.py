"""The promotion gate: decides which candidate serves. Pure: losses in, decisions out.

A challenger is promoted when a sequential test on paired losses proves it better
(`processors/promote/sequential_test.py`). The probability of a wrong promotion is bounded, however
often the test is checked.

An alarm rolls the champion back to the last-good version. An alarm is raised if labels look flipped
(`processors/promote/label_flip.py`), or if the champion's errors rise against its own past
(`models/evaluation/drift.py`) and it has not proved better than the last-good version. When labels
agree with the last-good version again, the champion that was rolled back returns. No plain
difference of two means decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from modstream.broker.wire.model_contracts import DecisionEvidence
from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.drift import DriftDetector, MeanShift
from modstream.models.registry.refs import LAST_GOOD
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.label_flip import FlipEvent, LabelFlipDetector, LabelledScores
from modstream.processors.promote.sequential_test import PairedEProcess, SequentialTest
from modstream.processors.promote.settings import GateSettings

NO_ERRORS: FloatArray = np.empty(0)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm: a rise of the champion's errors, or flipped labels if `error_rise` is None."""

    error_rise: MeanShift | None


@dataclass(slots=True)
class PromotionGate:
    """Decides which candidate is the champion, from the losses of all candidates.

    Attributes:
        champion: the candidate that serves; `LAST_GOOD` while the last-good version serves.
        settings: when to promote and when to roll back.
        first_test_number: number of the first test of each candidate; above 1 if an earlier process
            has already spent a part of alpha.
        labels_in_term: number of labels since the champion began to serve.
        quiet_labels: number of labels since the last alarm of this term.
        cooldown_left: number of labels until challengers may be promoted again.
        alarms: number of alarms so far.
        suspended: the candidate that was rolled back for an alarm, if any.
        flip: the change of the label-flip detector caused by the newest labels, if any.
    """

    champion: str
    settings: GateSettings = field(default_factory=GateSettings)
    first_test_number: int = 1
    labels_in_term: int = 0
    quiet_labels: int = 0
    cooldown_left: int = 0
    alarms: int = 0
    suspended: str | None = None
    flip: FlipEvent | None = None
    _tests: dict[str, SequentialTest] = field(default_factory=dict)
    _error_detector: DriftDetector = field(init=False)
    _flip_detector: LabelFlipDetector = field(init=False)

    def __post_init__(self) -> None:
        """Create the detectors."""
        self._error_detector = self._new_error_detector()
        self._flip_detector = LabelFlipDetector(self.settings.flip_threshold)

    @property
    def is_flipped(self) -> bool:
        """Whether labels look flipped."""
        return self._flip_detector.is_flipped

    @property
    def tests(self) -> Mapping[str, PairedEProcess]:
        """The current test of each candidate."""
        return {name: test.paired for name, test in self._tests.items()}

    @property
    def best_challenger(self) -> str | None:
        """The challenger with the greatest gain so far, or None before any was tested."""
        gains = {name: one.paired.gain for name, one in self._tests.items() if name != LAST_GOOD}
        return max(gains, key=gains.__getitem__, default=None)

    @property
    def test_number(self) -> int:
        """The highest number of a test so far; a later process continues after it."""
        return max((test.number for test in self._tests.values()), default=self.first_test_number)

    def update(
        self,
        losses: Mapping[str, FloatArray],
        errors: FloatArray = NO_ERRORS,
        labelled: LabelledScores | None = None,
        label_count: int | None = None,
    ) -> Decision | None:
        """Process the candidates' losses on the same labels; return the decision, if any.

        A candidate without losses was not compared on these labels; its test is unchanged.

        Args:
            losses: the losses of each candidate, (n,), by label or by pair of labels.
            errors: the champion's errors; a rise of their mean raises an alarm.
            labelled: the labels and the champion's scores, for a binary task.
            label_count: the number of labels, if it is not n.
        """
        served = losses.get(self.champion)
        if served is None:
            return None
        is_cooled_down = self.cooldown_left <= 0
        self._count_labels(len(served) if label_count is None else label_count)
        alarm = self._detect_alarm(errors, labelled)
        for name in self._testable(losses, is_cooled_down=is_cooled_down):
            test = self._tests.setdefault(name, self._new_test(losses))
            test.add(served, losses[name], self.settings.test_window)
        return (
            self._rollback_decision(losses, alarm)
            or self._promotion_decision(losses)
            or self._return_decision(losses)
        )

    def reset(self, candidate: str) -> None:
        """Start a candidate's next test, because the candidate is now a different version."""
        if candidate in self._tests:
            self._tests[candidate].reset()

    def appoint(self, champion: str) -> None:
        """Begin the term of a candidate that an operator has made the champion."""
        self._start_term(champion)

    def _count_labels(self, labels: int) -> None:
        self.labels_in_term += labels
        self.quiet_labels += labels
        self.cooldown_left -= labels

    def _detect_alarm(self, errors: FloatArray, labelled: LabelledScores | None) -> Alarm | None:
        """Return the alarm raised by the newest labels, if any.

        While labels look wrong, the evidence for the suspended candidate is discarded.
        """
        error_rise = self._error_detector.update_many(errors.tolist())
        self.flip = None if labelled is None else self._flip_detector.add(labelled)
        is_new = error_rise is not None or (self.flip is not None and self.flip.is_flipped)
        if is_new or self.is_flipped:
            self.quiet_labels = 0
            if self.suspended is not None and self.cooldown_left > 0:
                self._tests.pop(self.suspended, None)
        self.alarms += is_new
        return Alarm(None if self.is_flipped else error_rise) if is_new else None

    def _testable(self, losses: Mapping[str, FloatArray], *, is_cooled_down: bool) -> Iterable[str]:
        """Return the candidates to test; during the cooldown, no challenger."""
        always = {LAST_GOOD, self.suspended}
        return (
            name for name in losses if name != self.champion and (is_cooled_down or name in always)
        )

    def _new_test(self, losses: Mapping[str, FloatArray]) -> SequentialTest:
        """Return a test whose alpha is an equal share among challengers; LAST_GOOD is not one."""
        challengers = max(1, sum(name not in (self.champion, LAST_GOOD) for name in losses))
        return SequentialTest(self.settings.alpha / challengers, self.first_test_number)

    def _rollback_decision(
        self, losses: Mapping[str, FloatArray], alarm: Alarm | None
    ) -> Decision | None:
        if alarm is None or self.champion == LAST_GOOD or LAST_GOOD not in losses:
            return None
        is_better = alarm.error_rise is not None and self._tests[LAST_GOOD].is_lost()
        return None if is_better else self._decide(LAST_GOOD, alarm)

    def _return_decision(self, losses: Mapping[str, FloatArray]) -> Decision | None:
        """Return the suspended candidate to service once labels have been quiet long enough."""
        name = self.suspended
        if name is None or name not in losses:
            return None
        if self.flip is not None and not self.flip.is_flipped:
            return self._decide(name, quiet_labels=self.flip.label_count)
        if self.quiet_labels < self.settings.quiet_labels or self._tests[name].is_lost():
            return None
        return self._decide(name, quiet_labels=self.quiet_labels)

    def _promotion_decision(self, losses: Mapping[str, FloatArray]) -> Decision | None:
        """Promote the candidate with the greatest gain among those that won their test."""
        won = [
            name
            for name, test in self._tests.items()
            if name in losses
            and self._may_be_promoted(name, test)
            and test.is_won(self.settings.margin)
        ]
        best = max(won, key=lambda name: self._tests[name].paired.gain, default=None)
        return None if best is None else self._decide(best)

    def _may_be_promoted(self, name: str, test: SequentialTest) -> bool:
        if name in {self.champion, LAST_GOOD}:
            return False
        if test.paired.count < self.settings.min_comparisons:
            return False
        return name != self.suspended or self.cooldown_left <= 0

    def _decide(
        self, candidate: str, alarm: Alarm | None = None, quiet_labels: int | None = None
    ) -> Decision:
        test = self._tests.get(candidate) or self._new_test({})
        paired = test.paired
        rise = alarm.error_rise if alarm is not None else None
        evidence = DecisionEvidence(
            candidate=candidate,
            champion=self.champion,
            window=self.labels_in_term,
            count=paired.count,
            champion_loss=paired.champion_total / max(1, paired.count),
            candidate_loss=paired.challenger_total / max(1, paired.count),
            bound=paired.lower_bound(test.level),
            alpha=test.level,
            error_before=None if rise is None else rise.before,
            error_after=None if rise is None else rise.after,
            flip_ratio=self.settings.flip_threshold if alarm is not None and rise is None else None,
            quiet_labels=quiet_labels,
        )
        self._start_term(candidate)
        return Decision("rollback" if candidate == LAST_GOOD else "promote", evidence)

    def _start_term(self, champion: str) -> None:
        """Make a candidate the champion; all tests restart, with all of alpha."""
        self.suspended = self.champion if champion == LAST_GOOD else None
        self.champion = champion
        self.first_test_number, self.labels_in_term, self.quiet_labels = 1, 0, 0
        self.cooldown_left = self.settings.cooldown if champion == LAST_GOOD else 0
        self._tests.clear()
        self._error_detector = self._new_error_detector()
        if champion != LAST_GOOD:
            self._flip_detector.accept_labels()

    def _new_error_detector(self) -> DriftDetector:
        return DriftDetector(self.settings.detector, self.settings.detector_sensitivity)
