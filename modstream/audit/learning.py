"""The audit of learning: each joined row is learned once along the chain of versions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modstream.audit.event_tables import LearningEvent
from modstream.audit.names import OTHERS
from modstream.audit.stream_audit import StreamAudit


@dataclass(frozen=True, slots=True)
class LearningAudit:
    """The versions of one model and the feedback rows they learned.

    `rows_learned` is the number of rows that the newest version has seen. `checked_links` counts
    the steps from parent to child that were checked. `rows_learned_twice` and `rows_skipped` count
    rows where a child's offset range overlaps its parent's or leaves a gap, or where more or
    fewer rows were learned than its range has. `orphaned_versions` are versions whose parent was
    never announced although rows precede their range. `rows_pending` are beyond the newest
    version's range. `rows_quarantined` counts the rows that the guard rejected, by rule.
    """

    model: str
    versions: int
    promotions: int
    rollbacks: int
    newest_version: int
    rows_learned: int
    checked_links: int
    rows_learned_twice: int
    rows_skipped: int
    orphaned_versions: int
    rows_pending: int
    rows_quarantined: Mapping[str, int]

    @property
    def is_sound(self) -> bool:
        """Whether no row was learned twice or skipped."""
        return not any(self.faults().values())

    def faults(self) -> dict[str, int]:
        """Return the count of each fault."""
        return {
            f"rows learned twice by {self.model}": self.rows_learned_twice,
            f"rows skipped by {self.model}": self.rows_skipped,
            f"versions of {self.model} without a parent": self.orphaned_versions,
        }


@dataclass(frozen=True, slots=True)
class ParentLink:
    """The difference between a version's offset range and its parent's, in rows."""

    learned_twice: int = 0
    skipped: int = 0
    is_orphan: bool = False


NO_OFFSETS = np.empty(0, dtype=np.int64)


class ExpectedRows:
    """The feedback rows that a learner must learn: all but those that its guard rejected."""

    def __init__(self, audit: StreamAudit, model: str) -> None:
        feedback = audit.feedback
        self._offsets = dict(feedback.training_offsets.sorted_offsets())
        for partition, released in feedback.training_offsets.released.get(model, {}).items():
            known = self._offsets.get(partition, NO_OFFSETS)
            self._offsets[partition] = np.sort(np.concatenate([known, np.array(released)]))
        for partition, rejected in feedback.quarantined.of_model(model):
            known = self._offsets.get(partition, NO_OFFSETS)
            self._offsets[partition] = np.setdiff1d(known, list(rejected))

    def count_between(self, start: Mapping[str, int], stop: Mapping[str, int]) -> int:
        """Return the number of rows from `start` to before `stop`, offsets by "topic:partition"."""
        return sum(
            max(0, int(np.subtract(*np.searchsorted(offsets, [stop.get(p, 0), start.get(p, 0)]))))
            for p, offsets in self._offsets.items()
        )

    def count_from(self, start: Mapping[str, int]) -> int:
        """Return the number of rows from `start` to the end."""
        return sum(
            len(offsets) - int(np.searchsorted(offsets, start.get(p, 0)))
            for p, offsets in self._offsets.items()
        )


def audit_learning(audit: StreamAudit) -> tuple[LearningAudit, ...]:
    """Audit each model that was published with offsets of this stream's feedback."""
    by_model: dict[str, list[LearningEvent]] = {}
    for event in audit.events.events:
        by_model.setdefault(event.model, []).append(event)
    return tuple(
        _audit_model(audit, model, events)
        for model, events in sorted(by_model.items())
        if model != OTHERS and any(one.offsets and one.action == "publish" for one in events)
    )


def _audit_model(audit: StreamAudit, model: str, events: Sequence[LearningEvent]) -> LearningAudit:
    actions = Counter(event.action for event in events)
    versions = {event.version: event for event in events if event.action == "publish"}
    learned = [event for event in versions.values() if event.offsets]
    newest = max(learned, key=lambda event: event.version)
    rows = ExpectedRows(audit, model)
    # The parent of the oldest version that is known may be among the events that were dropped.
    first = min(versions) if audit.events.dropped else 0
    links = [
        _check_link(rows, versions.get(event.parent or 0), event)
        for event in learned
        if event.version > first and _is_inside(audit, event)
    ]
    rules = Counter(
        rule
        for _, rejected in audit.feedback.quarantined.of_model(model)
        for rule in rejected.values()
    )
    return LearningAudit(
        model=model,
        versions=len(versions),
        promotions=actions["promote"],
        rollbacks=actions["rollback"],
        newest_version=newest.version,
        rows_learned=newest.rows_learned,
        checked_links=len(links),
        rows_learned_twice=sum(link.learned_twice for link in links),
        rows_skipped=sum(link.skipped for link in links),
        orphaned_versions=sum(link.is_orphan for link in links),
        rows_pending=rows.count_from(newest.offsets),
        rows_quarantined=dict(rules.most_common()),
    )


def _is_inside(audit: StreamAudit, event: LearningEvent) -> bool:
    """Return whether the feedback that a version has learned is inside the audit's scope."""
    topic, scope = audit.topics.feedback, audit.scope
    return scope is None or scope.covers(event.first_offsets, event.offsets, topic)


def _check_link(
    rows: ExpectedRows, parent: LearningEvent | None, child: LearningEvent
) -> ParentLink:
    """Compare a version's range of the feedback with the end of its parent's range."""
    parent_end = parent.offsets if parent else {}
    overlap, gap = (
        rows.count_between(child.first_offsets, parent_end),
        rows.count_between(parent_end, child.first_offsets),
    )
    if parent is None and child.parent is not None:
        return ParentLink(overlap, is_orphan=gap > 0)
    expected = rows.count_between(child.first_offsets, child.offsets)
    learned = child.rows_learned - (parent.rows_learned if parent else 0)
    return ParentLink(overlap + max(learned - expected, 0), gap + max(expected - learned, 0))
