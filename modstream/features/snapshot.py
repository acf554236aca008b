"""The present features of a stream, read from its topic by a command."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import numpy as np

from modstream.broker.client.admin import Admin
from modstream.broker.wire.records import TopicPartition
from modstream.features.definitions import Definitions
from modstream.features.recovery import read_updates
from modstream.features.table_tail import TableTail, open_temporary_copy
from modstream.live.lag import without_markers
from modstream.processors.aggregate.disk.group_cache import GroupCache
from modstream.processors.aggregate.disk.rows import BY_GROUP, ByGroup
from modstream.processors.aggregate.disk.table import FeatureTable
from modstream.processors.aggregate.events import EventDecoder
from modstream.processors.aggregate.updates import (
    BACKFILL,
    PartialUpdate,
    Progress,
    UnknownUpdate,
    UpdateCodec,
)
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.reader import FeatureReader
from modstream.settings import Settings


@dataclass(slots=True)
class AggregationSize:
    """The groups and partial aggregates of an aggregation, of all owners, and their bytes."""

    groups: int = 0
    partials: int = 0
    bytes: int = 0
    newest_slice: int | None = None


class Snapshot:
    """The features as all that is committed makes them, in files of their own."""

    def __init__(self, features: FeatureSet, table: FeatureTable) -> None:
        self._features, self._table = features, table

    def sizes(self) -> defaultdict[str, AggregationSize]:
        """Return the size of each aggregation by its id."""
        found: defaultdict[str, AggregationSize] = defaultdict(AggregationSize)
        order, last = ByGroup(), b""
        for row, value in self._table.view().items(BY_GROUP):
            one = order.parse(row)
            size = found[one.aggregation]
            group = order.group_of(row)
            size.groups += group != last
            last = group
            size.partials += 1
            size.bytes += len(row) + len(value)
            if size.newest_slice is None or one.slice > size.newest_slice:
                size.newest_slice = one.slice
        return found

    def value(self, name: str, fields: dict[str, object], time: int) -> float:
        """Return a feature for the values of a group's fields at a time in ms; NaN for none."""
        cache = GroupCache(self._features)
        cache.move_to(self._table.view(), keep=True)
        columns = {field: [fields.get(field)] for field in self._features.request_fields}
        values = FeatureReader(cache).values(columns, np.array([time], dtype=np.int64))
        return float(values[name][0])


@contextmanager
def open_snapshot(settings: Settings, found: Definitions) -> Iterator[Snapshot]:
    """Read the topic of features into a temporary folder.

    Raises:
        TopicMissing: the topic of features does not exist.
        StateUnusable: the folder cannot be written.
    """
    topic = settings.topics().features
    with TemporaryDirectory(prefix="modstream-features-") as folder:
        table = open_temporary_copy(settings, Path(folder) / "copy", ByGroup())
        try:
            with TableTail(settings.connection, topic, table, Event()) as tail:
                tail.catch_up()
            yield Snapshot(found.features, table)
        finally:
            table.close()


def read_progress(settings: Settings, found: Definitions) -> Progress:
    """Return how far all owners have counted.

    Raises:
        TopicMissing: the topic of features does not exist.
    """
    topic, progress = settings.topics().features, Progress()
    codec = UpdateCodec(topic, found.features.aggregations)
    for _, update in read_updates(settings.connection, topic, codec, Event()):
        if not isinstance(update, PartialUpdate | UnknownUpdate):
            progress.note(update)
    return progress


def first_counted(progress: Progress, aggregation: str) -> dict[str, int]:
    """Return the first offset of each owner that an aggregation counts, with backfilled ones."""
    found: dict[str, int] = {}
    for (owner, name), offset in progress.starts.items():
        if name == aggregation:
            partition = owner.removeprefix(BACKFILL)
            found[partition] = min(offset, found.get(partition, offset))
    return found


def waiting_records(settings: Settings, found: Definitions) -> dict[TopicPartition, int]:
    """Return the number of records that the aggregator has not counted, by partition."""
    topics, admin = settings.topics(), Admin(settings.connection)
    sources = EventDecoder(topics, found.features).topics
    group = topics.group("aggregator")
    committed = admin.committed_offsets(group, sources)
    return without_markers(settings.connection, committed, admin.lag(group, sources))
