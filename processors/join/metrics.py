"""The joiner's metrics: counters, label delays, and label coverage by model version."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import TopicPartition
from modstream.processors.join.label_stats import LabelStats
from modstream.processors.join.partition import PartitionJoin
from modstream.processors.join.transitions import JoinCounter


def join_metrics(
    partitions: Collection[PartitionJoin], positions: Mapping[TopicPartition, int]
) -> Iterator[Metrics]:
    """Yield the metrics of one or more partitions whose inputs were read up to `positions`."""
    counts: Counter[str] = Counter(dict.fromkeys(map(str, JoinCounter), 0))
    stats = LabelStats()
    for partition in partitions:
        counts.update(partition.state.counts)
        stats.merge(partition.state.label_stats)
    event_time = min(partition.state.watermark for partition in partitions)
    offsets = {str(tp): position for tp, position in positions.items()}
    open_count = sum(partition.open_count for partition in partitions)
    waiting = sum(partition.waiting_label_count for partition in partitions)
    yield Metrics(
        kind="joiner",
        event_time=event_time,
        values={**counts, "open": open_count, "waiting": waiting},
        offsets=offsets,
    )
    if stats.delays:
        yield Metrics(
            kind="label_delay",
            event_time=event_time,
            values={str(bound): count for bound, count in sorted(stats.delays.items())},
            offsets=offsets,
        )
    for name, coverage in stats.versions.items():
        model, _, version = name.rpartition("/")
        yield Metrics(
            kind="coverage",
            model=model,
            version=int(version),
            event_time=event_time,
            values=coverage.values(),
            offsets=offsets,
        )
