"""Everything that a ledger tells, as figures, and the verdict."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from modstream.audit.decisions import Decision, decisions
from modstream.audit.delivery import Delivery, delivery
from modstream.audit.labels import Labels, labels
from modstream.audit.latency import Pace, pace
from modstream.audit.learning import Learning, learning
from modstream.audit.quality import Quality, quality
from modstream.audit.stream_audit import Ledger


@dataclass(frozen=True, slots=True)
class Figures:
    """The account of one stream. `broken` counts records that break their topic's contract."""

    stream: str
    route: tuple[str, ...]
    delivery: Delivery
    labels: Labels
    learning: tuple[Learning, ...]
    quality: tuple[Quality, ...]
    decisions: tuple[Decision, ...]
    pace: Pace
    broken: Mapping[str, int]

    @property
    def faults(self) -> dict[str, int]:
        """What may not be and is, with its count."""
        found = self.delivery.faults() | self.labels.faults()
        for one in self.learning:
            found |= one.faults()
        found |= {f"broken records in {topic}": count for topic, count in self.broken.items()}
        return {fault: number for fault, number in found.items() if number}

    @property
    def sound(self) -> bool:
        """Whether every request, label and learned row is accounted for, once."""
        return not self.faults


def figures_of(ledger: Ledger) -> Figures:
    """Compute all figures."""
    # A label that cannot be read is its sender's fault, and the joiner's to count.
    ours = {t: n for t, n in ledger.oddities.broken.items() if t != ledger.topics.labels}
    return Figures(
        stream=ledger.topics.stream,
        route=ledger.route,
        delivery=delivery(ledger),
        labels=labels(ledger),
        learning=learning(ledger),
        quality=quality(ledger),
        decisions=decisions(ledger.events),
        pace=pace(ledger),
        broken=ours,
    )


def to_json(figures: Figures) -> str:
    """The verdict and all figures as one JSON document; what is undefined is null."""
    document = {"sound": figures.sound, "faults": figures.faults, **asdict(figures)}
    return json.dumps(_defined(document), indent=2)


def _defined(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _defined(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
