"""Metrics of a joiner, from the metrics that its partitions keep."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client.core import Metric

from modstream.processors.join.label_stats import LabelCoverage, LabelStats
from modstream.processors.join.partition import PartitionJoin
from modstream.processors.join.transitions import JoinCounter
from modstream.telemetry import learning_metrics
from modstream.telemetry.instruments import Histogram, Increases, Tally, gauge, gauge_family


class JoinedPartitions(Protocol):
    """The partitions of a joiner; `is_active` is false while they are being restored."""

    @property
    def partitions(self) -> Mapping[int, PartitionJoin]:
        """The partitions by number."""

    @property
    def is_active(self) -> bool:
        """Whether the partitions are restored and joined."""


class JoinerMetrics:
    """The series of a joiner as of its last `update`.

    Counters have only what this process has joined: those of a partition go on in its next owner.
    """

    def __init__(self) -> None:
        self._increases = Increases()
        self._rows = Tally.beginning(learning_metrics.JOINER_ROWS, map(str, JoinCounter))
        self._delays = Histogram(learning_metrics.JOINER_DELAY)
        self._open = self._waiting = self._state_bytes = 0
        self._coverage: Mapping[str, LabelCoverage] = {}

    def update(self, joiner: JoinedPartitions) -> None:
        """Take the present figures; called by the joiner's own thread."""
        if not joiner.is_active:
            self._increases.keep(())
            return
        partitions = joiner.partitions
        stats = LabelStats()
        for number, partition in partitions.items():
            self._add(number, partition)
            stats.merge(partition.state.label_stats)
        names = [f"{kind}{number}" for number in partitions for kind in ("rows", "delays")]
        self._increases.keep(names)
        self._open = sum(one.open_count for one in partitions.values())
        self._waiting = sum(one.waiting_label_count for one in partitions.values())
        self._state_bytes = sum(one.store.size_on_disk() for one in partitions.values())
        self._coverage = coverage_by_model(stats)

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        yield self._rows.family()
        yield self._delays.family()
        yield gauge(learning_metrics.JOINER_OPEN, self._open)
        yield gauge(learning_metrics.JOINER_WAITING, self._waiting)
        yield gauge(learning_metrics.JOINER_STATE, self._state_bytes)
        models = {(name,): one for name, one in self._coverage.items()}
        predicted = {labels: float(one.predicted) for labels, one in models.items()}
        shares = {labels: one.values()["coverage"] for labels, one in models.items()}
        yield gauge_family(learning_metrics.JOINER_PREDICTED, predicted)
        yield gauge_family(learning_metrics.JOINER_COVERAGE, shares)

    def _add(self, number: int, partition: PartitionJoin) -> None:
        """Add what a partition has counted since the last update."""
        counts = Counter(dict.fromkeys(map(str, JoinCounter), 0))
        counts.update(partition.state.counts)
        for outcome, rows in self._increases.update(f"rows{number}", counts).items():
            self._rows.add(rows, (outcome,))
        delays = {str(bound): n for bound, n in partition.state.label_stats.delays.items()}
        for bound, labels in self._increases.update(f"delays{number}", delays).items():
            self._delays.observe(int(bound) / 1000, times=int(labels))


def coverage_by_model(stats: LabelStats) -> dict[str, LabelCoverage]:
    """Return the label coverage of each model, over the versions that are followed."""
    found: dict[str, LabelCoverage] = {}
    for name, coverage in stats.versions.items():
        model = name.rpartition("/")[0]
        found.setdefault(model, LabelCoverage()).merge(coverage)
    return found
