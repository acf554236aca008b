"""The complete guard of a learner: hard rules, soft rules, and a breaker for each source.

Each row is checked in this order; the first rule that rejects it is named in the quarantine record:
  1. hard rules: schema, finite values, hard ranges, label domain
     (`processors/guard/hard_rules.py`)
  2. the breaker of its source (`processors/guard/budgets.py`)
  3. soft rules: an outlier or an extreme loss (`processors/guard/soft_rules.py`), as long as the
     token bucket is not empty
Before all of them the learner rejects what is not feedback, has invalid times, or reuses the id of
another row. A row released from quarantine by an operator is checked by the hard rules only.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from modstream.broker.wire.feedback_codec import AnyFeedback
from modstream.broker.wire.records import Record
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.card import ModelCard
from modstream.models.schema.class_labels import show_label
from modstream.processors.guard.budgets import SourceBreaker, TokenBucket
from modstream.processors.guard.hard_rules import Reason, ValidatedBatch, Violation, validate
from modstream.processors.guard.label_domain import LabelDomain
from modstream.processors.guard.settings import GuardSettings
from modstream.processors.guard.soft_rules import LossRule, OutlierRule

MAX_SOURCE_CHARACTERS = 100
"""Maximum length of a source's name."""


class TrainingExample(NamedTuple):
    """A row to learn: its record, its feedback, and whether it was released from quarantine."""

    record: Record
    feedback: AnyFeedback
    is_released: bool = False


class FeedbackGuard:
    """Decides which rows a learner may learn; remembers recent rows and recent violations."""

    def __init__(
        self, card: ModelCard, settings: GuardSettings, versions: VersionClasses | None = None
    ) -> None:
        share = settings.max_soft_share
        self._card = card
        self._settings = settings
        self._domain = LabelDomain.of(card)
        self._outlier_rule = OutlierRule(card, settings)
        self._loss_rule = LossRule(card, settings, versions)
        self._soft_budget = TokenBucket(share, share * settings.window)
        self._breaker = SourceBreaker(
            settings.source_budget, settings.source_window, settings.source_penalty_rows
        )

    def check(self, examples: Sequence[TrainingExample]) -> ValidatedBatch:
        """Return the rows that may be learned, and the violations of the others."""
        valid = validate(
            self._card,
            [example.feedback.features or {} for example in examples],
            [example.feedback.label for example in examples],
            self._settings.max_unknown_features,
            self._domain,
        )
        soft = self._soft_violations(examples, valid)
        violations = {violation.position: violation for violation in valid.violations}
        for position, example in enumerate(examples):
            reason = self._rejection(example, violations.get(position), soft.get(position))
            if reason is not None:
                violations.setdefault(position, Violation(position, *reason))
        accepted = valid.excluding(violations.keys())
        self._outlier_rule.add(accepted.batch)
        return ValidatedBatch(
            accepted.batch,
            accepted.labels,
            accepted.kept,
            [violations[position] for position in sorted(violations)],
        )

    def note_violation(self, record: Record) -> None:
        """Count a record against its source that was rejected before its features were read."""
        self._breaker.record_row(self._source_of(record, {}), is_violation=True)

    def _soft_violations(
        self, examples: Sequence[TrainingExample], valid: ValidatedBatch
    ) -> dict[int, Reason]:
        """Return why the soft rules would reject rows, by position."""
        rows = [examples[position].feedback for position in valid.kept]
        reasons = self._outlier_rule.check(valid.batch)
        for index, reason in self._loss_rule.check(rows, valid.labels).items():
            reasons.setdefault(index, reason)
        return {valid.kept[index]: reason for index, reason in reasons.items()}

    def _rejection(
        self, example: TrainingExample, hard: Violation | None, soft: Reason | None
    ) -> Reason | None:
        """Return why a row is rejected, or None; updates the breaker and the token bucket."""
        hard_reason = None if hard is None else (hard.rule, hard.detail)
        if example.is_released:
            return hard_reason
        source = self._source_of(example.record, example.feedback.features or {})
        self._soft_budget.add_row()
        if self._breaker.rejects_row(source):
            return ("source", f"source {source} sent too many bad rows and is blocked for a while")
        reason = hard_reason
        if reason is None and soft is not None and self._soft_budget.take():
            reason = soft
        self._breaker.record_row(source, is_violation=reason is not None)
        return reason

    def _source_of(self, record: Record, row: Mapping[str, object]) -> str:
        """Return the source named by the configured header or feature, else the partition."""
        name = self._settings.source_field
        header = record.header(name) if name else None
        if header is not None:
            return bounded_source(header.decode(errors="replace"))
        if name in row:
            return bounded_source(show_label(row[name], quote=False))
        return f"partition {record.partition}"


def bounded_source(name: str) -> str:
    """Return the name of a source; clients choose it, so that a long one is cut, with its hash."""
    if len(name) <= MAX_SOURCE_CHARACTERS:
        return name
    digest = sha256(name.encode(errors="replace")).hexdigest()[:16]
    return f"{name[:MAX_SOURCE_CHARACTERS]}... ({digest})"
