"""Was every joined row learned once? The chain of versions, offset by offset."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modstream.audit.stream_audit import Ledger
from modstream.broker.wire.contracts import ModelEvent


@dataclass(frozen=True, slots=True)
class Learning:
    """What one model's learner did.

    `published` counts its versions, `learned` the rows that its newest one has seen, `links` the
    steps from parent to child that were checked. `learned_twice` and `skipped` count rows, where
    a child's share overlaps its parent's or leaves a gap, or where more or fewer rows were
    learned than its share holds. `orphans` are versions whose parent was never announced though
    rows lie before them. `waiting` rows lie beyond the newest version; `quarantined` counts
    the rows that its guard refused, by rule.
    """

    model: str
    published: int
    promotions: int
    rollbacks: int
    newest: int
    learned: int
    links: int
    learned_twice: int
    skipped: int
    orphans: int
    waiting: int
    quarantined: Mapping[str, int]

    @property
    def sound(self) -> bool:
        """Whether no row was learned twice or skipped."""
        return not any(self.faults().values())

    def faults(self) -> dict[str, int]:
        """What may not be, with its count."""
        return {
            f"rows learned twice by {self.model}": self.learned_twice,
            f"rows skipped by {self.model}": self.skipped,
            f"versions of {self.model} without a parent": self.orphans,
        }


@dataclass(frozen=True, slots=True)
class Link:
    """What a version's share has too much, too little, or without proof, in rows."""

    twice: int = 0
    skipped: int = 0
    orphan: bool = False


class Rows:
    """The feedback that a learner had to learn: all lessons but those that its guard refused."""

    def __init__(self, ledger: Ledger, model: str) -> None:
        refused: dict[str, list[int]] = {}
        for name, home, offset in ledger.quarantined:
            if name == model:
                refused.setdefault(home, []).append(offset)
        self._offsets = {
            home: np.setdiff1d(np.array(offsets, dtype=np.int64), refused.get(home, []))
            for home, offsets in ledger.lessons.of(model).items()
        }

    def between(self, start: Mapping[str, int], stop: Mapping[str, int]) -> int:
        """How many lie from `start` up to `stop`, next offsets by "topic:partition"."""
        return sum(
            max(0, int(np.subtract(*np.searchsorted(known, [stop.get(p, 0), start.get(p, 0)]))))
            for p, known in self._offsets.items()
        )

    def beyond(self, start: Mapping[str, int]) -> int:
        """How many lie from `start` on."""
        return sum(
            len(known) - int(np.searchsorted(known, start.get(p, 0)))
            for p, known in self._offsets.items()
        )


def learning(ledger: Ledger) -> tuple[Learning, ...]:
    """Check every model that was published with offsets of this stream's feedback."""
    homes = f"{ledger.topics.feedback}:"
    learned = {
        event.model
        for event in ledger.events
        if any(home.startswith(homes) for home in (*event.offsets, *event.learned_from))
    }
    return tuple(_learner(ledger, model) for model in sorted(learned))


def _learner(ledger: Ledger, model: str) -> Learning:
    actions = Counter(event.action for event in ledger.events if event.model == model)
    versions = {
        event.version: event
        for event in ledger.events
        if event.model == model and event.action == "publish"
    }
    taught = [event for event in versions.values() if event.offsets]
    newest = max(taught, key=lambda event: event.version)
    rows = Rows(ledger, model)
    links = [_link(rows, versions.get(event.parent or 0), event) for event in taught]
    rules = Counter(rule for (name, _, _), rule in ledger.quarantined.items() if name == model)
    return Learning(
        model=model,
        published=len(versions),
        promotions=actions["promote"],
        rollbacks=actions["rollback"],
        newest=newest.version,
        learned=newest.learned,
        links=len(links),
        learned_twice=sum(link.twice for link in links),
        skipped=sum(link.skipped for link in links),
        orphans=sum(link.orphan for link in links),
        waiting=rows.beyond(newest.offsets),
        quarantined=dict(rules.most_common()),
    )


def _link(rows: Rows, parent: ModelEvent | None, child: ModelEvent) -> Link:
    """Hold a version's share of the feedback against where its parent ended."""
    left = parent.offsets if parent else {}
    overlap, gap = rows.between(child.learned_from, left), rows.between(left, child.learned_from)
    if parent is None and child.parent is not None:
        return Link(overlap, orphan=gap > 0)
    share = rows.between(child.learned_from, child.offsets)
    seen = child.learned - (parent.learned if parent else 0)
    return Link(overlap + max(seen - share, 0), gap + max(share - seen, 0))
