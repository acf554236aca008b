"""How good each candidate of a model would have answered, as its learner measured it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan

from modstream.audit.names import MAX_LEARNERS, printable
from modstream.broker.wire.model_contracts import Metrics
from modstream.models.registry.refs import LAST_GOOD

MAX_CANDIDATES = 100
"""Number of candidates of a model whose figures are read."""
MAX_STARTS = 1000
"""Number of starts of a learner whose figures are kept; beyond it the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class CandidateQuality:
    """A candidate's AUC and log loss (nats) on `labels`, on the answers it would have given.

    After a restart of the learner, its AUC is the mean of those before and after, weighted by
    the labels.
    """

    model: str
    candidate: str
    labels: int
    auc: float
    log_loss: float


Figures = Mapping[str, tuple[float, float, float]]
"""By candidate: labels, AUC, and log loss."""


@dataclass(slots=True)
class CandidateTable:
    """A fold over metrics of the kind `candidates`: the newest of each start of a learner."""

    _starts: dict[str, deque[Figures]] = field(default_factory=dict)

    def add(self, metrics: Metrics) -> None:
        """Add metrics. Where a candidate has fewer labels than before, its learner began anew."""
        model = metrics.model
        if model is None or (model not in self._starts and len(self._starts) >= MAX_LEARNERS):
            return
        found = _figures(metrics.values)
        starts = self._starts.setdefault(model, deque(maxlen=MAX_STARTS))
        if starts and _continues(starts[-1], found):
            starts[-1] = found
        else:
            starts.append(found)

    def quality(self, route: tuple[str, ...]) -> tuple[CandidateQuality, ...]:
        """Return the candidates of the models of a route, each model's best one first."""
        found = [
            _joined(model, name, list(starts))
            for model, starts in self._starts.items()
            if model in route
            for name in sorted({name for one in starts for name in one})
            if name != LAST_GOOD
        ]
        return tuple(sorted(found, key=lambda one: (route.index(one.model), one.log_loss)))


def _figures(values: Mapping[str, float]) -> Figures:
    names = [name.removesuffix(".labels") for name in values if name.endswith(".labels")]
    return {
        printable(name): (
            values[f"{name}.labels"],
            values.get(f"{name}.auc", nan),
            values.get(f"{name}.log_loss", nan),
        )
        for name in names[:MAX_CANDIDATES]
        if isfinite(values[f"{name}.labels"]) and values[f"{name}.labels"] > 0
    }


def _continues(before: Figures, after: Figures) -> bool:
    return all(name not in after or after[name][0] >= before[name][0] for name in before)


def _joined(model: str, candidate: str, starts: list[Figures]) -> CandidateQuality:
    parts = [one[candidate] for one in starts if candidate in one]
    labels = sum(part[0] for part in parts)
    auc, loss = (sum(part[0] * part[at] for part in parts) / labels for at in (1, 2))
    return CandidateQuality(model, candidate, int(min(labels, 1e15)), auc, loss)
