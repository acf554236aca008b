"""Where an aggregator keeps what it counts, by the settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import structlog

from modstream.features.recovery import Recovery
from modstream.features.table_tail import TableTail, open_copy
from modstream.processors.aggregate.counts import Counts, CountsInMemory
from modstream.processors.aggregate.disk.counts import CountsOnDisk
from modstream.processors.aggregate.disk.rows import ByOwner
from modstream.processors.aggregate.updates import UpdateCodec
from modstream.processors.features.feature_set import FeatureSet
from modstream.settings import Settings

PROCESS = "aggregator"
"""Name of the folder of the aggregator's copy."""


@contextmanager
def open_counts(
    settings: Settings, features: FeatureSet, codec: UpdateCodec, stop: Event
) -> Iterator[Counts]:
    """Yield the counts of an aggregator.

    Raises:
        StateUnusable: the folder of its copy cannot be read or written.
    """
    connection, topic = settings.connection, settings.topics().features
    if settings.stream_features.store == "memory":
        yield CountsInMemory(features, Recovery(connection, topic, codec, stop))
        return
    table = open_copy(settings, PROCESS, ByOwner())
    try:
        with TableTail(connection, topic, table, stop) as tail:
            # A long way is gone before partitions are assigned. What a predecessor has left open
            # ends when its transactional id is taken over.
            first = table.offset
            tail.catch_up(committed=True)
            structlog.get_logger(__name__).info(
                "copy of the stream's features is up to date", records=table.offset - first
            )
            yield CountsOnDisk(features, codec, table, tail)
    finally:
        table.close()
