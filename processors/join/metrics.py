"""What joiners tell of themselves: counters, how late labels come, how many came for whom."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from modstream.broker.wire.contracts import Metrics
from modstream.broker.wire.records import TopicPartition
from modstream.processors.join.label_stats import LabelFigures
from modstream.processors.join.partition import Partition
from modstream.processors.join.state_machine import Count


def join_metrics(
    partitions: Collection[Partition], positions: Mapping[TopicPartition, int]
) -> Iterator[Metrics]:
    """The figures of these partitions, at least one, read up to `positions`."""
    counts: Counter[str] = Counter(dict.fromkeys(map(str, Count), 0))
    figures = LabelFigures()
    for partition in partitions:
        counts.update(partition.ledger.counts)
        figures.add(partition.ledger.figures)
    event_time = min(partition.ledger.watermark for partition in partitions)
    offsets = {str(tp): position for tp, position in positions.items()}
    waiting = sum(partition.open for partition in partitions)
    yield Metrics(
        kind="joiner",
        event_time=event_time,
        values={**counts, "open": waiting},
        offsets=offsets,
    )
    if figures.delays:
        yield Metrics(
            kind="label_delay",
            event_time=event_time,
            values={str(bound): count for bound, count in sorted(figures.delays.items())},
            offsets=offsets,
        )
    for name, coverage in figures.versions.items():
        model, _, version = name.rpartition("/")
        yield Metrics(
            kind="coverage",
            model=model,
            version=int(version),
            event_time=event_time,
            values=coverage.values(),
            offsets=offsets,
        )
