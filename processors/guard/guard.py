"""The guard as a whole: what is always wrong, what is suspicious, and sources that overdo it.

Each row meets the rules in this order; the first that refuses it gives its name:
  1. hard rules: schema, finite values, hard ranges, label domain
  (`processors/guard/hard_rules.py`);    before them the learner refuses what is no feedback, has
  no time, or takes another row's id 2. the budget of its source
  3. suspicions: an outlier, an absurd loss; as long as the allowance lasts
A row that was released from quarantine by hand meets the hard rules only.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from modstream.broker.wire.feedback_codec import Told
from modstream.broker.wire.records import Record
from modstream.models.schema.card import ModelCard
from modstream.processors.guard.budgets import Allowance, PoisonBudget
from modstream.processors.guard.hard_rules import Guarded, Offence, guard
from modstream.processors.guard.soft_rules import Fault, LossBound, Outliers
from modstream.processors.learn.settings import GuardSettings


class Lesson(NamedTuple):
    """A row to be learned: its record, what it says, and whether it comes out of quarantine."""

    record: Record
    feedback: Told
    released: bool = False


class Safeguard:
    """Decides which rows a learner may learn, from the rows that it has seen so far."""

    def __init__(self, card: ModelCard, settings: GuardSettings) -> None:
        self._card = card
        self._settings = settings
        self._outliers = Outliers(card, settings)
        self._loss = LossBound(card, settings)
        self._allowance = Allowance(settings.soft_share, settings.soft_share * settings.window)
        self._budget = PoisonBudget(settings.budget, settings.budget_window, settings.penalty)

    def check(self, lessons: Sequence[Lesson]) -> Guarded:
        """Sort rows into those that may be learned and offences; never raises for a row."""
        found = guard(
            self._card,
            [lesson.feedback.features or {} for lesson in lessons],
            [lesson.feedback.label for lesson in lessons],
            self._settings.unknown_features,
        )
        suspects = self._suspects(lessons, found)
        offences = {offence.position: offence for offence in found.offences}
        for position, lesson in enumerate(lessons):
            fault = self._judged(lesson, offences.get(position), suspects.get(position))
            if fault is not None:
                offences.setdefault(position, Offence(position, *fault))
        accepted = found.without(offences.keys())
        self._outliers.add(accepted.batch)
        return Guarded(
            accepted.batch,
            accepted.labels,
            accepted.kept,
            [offences[at] for at in sorted(offences)],
        )

    def offended(self, record: Record) -> None:
        """Note a record that is refused before its features are looked at."""
        self._budget.note(self._source(record, {}), offended=True)

    def _suspects(self, lessons: Sequence[Lesson], found: Guarded) -> dict[int, Fault]:
        """Suspicions by position."""
        rows = [lessons[position].feedback for position in found.kept]
        faults = self._outliers.suspects(found.batch)
        for index, fault in self._loss.suspects(rows, found.labels).items():
            faults.setdefault(index, fault)
        return {found.kept[index]: fault for index, fault in faults.items()}

    def _judged(
        self, lesson: Lesson, offence: Offence | None, suspicion: Fault | None
    ) -> Fault | None:
        """Why a row is refused, by hard rules, budget and allowance, or None."""
        if lesson.released:
            return None if offence is None else (offence.rule, offence.detail)
        source = self._source(lesson.record, lesson.feedback.features or {})
        self._allowance.earn()
        if self._budget.is_spent(source):
            return ("source", f"source {source} is shut out for a while")
        if offence is not None:
            fault: Fault | None = (offence.rule, offence.detail)
        else:
            fault = suspicion if suspicion and self._allowance.spend() else None
        self._budget.note(source, offended=fault is not None)
        return fault

    def _source(self, record: Record, row: Mapping[str, object]) -> str:
        """Where a row came from, as far as it says."""
        name = self._settings.source
        told = record.header(name) if name else None
        if told is not None:
            return told.decode(errors="replace")
        return str(row[name]) if name in row else f"partition {record.partition}"
