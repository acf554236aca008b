"""A topic of features in memory, and the aggregators and workers that write and read it."""

from collections import defaultdict
from itertools import count
from pathlib import Path

from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.processors.aggregate.counts import CountsInMemory
from modstream.processors.aggregate.disk.counts import CountsOnDisk
from modstream.processors.aggregate.disk.group_cache import GroupCache
from modstream.processors.aggregate.disk.open_table import TopicState, open_table
from modstream.processors.aggregate.disk.rows import ByGroup, ByOwner
from modstream.processors.aggregate.events import EventDecoder
from modstream.processors.aggregate.handler import AggregateHandler, Bounds
from modstream.processors.aggregate.served import ServedFeatures
from modstream.processors.aggregate.updates import PartialUpdate, UpdateCodec
from modstream.processors.features.files import parse_features

TOPICS = Topics("s")
_NUMBERS = count()


class Tail:
    """Applies a log's records to a copy."""

    def __init__(self, log, table):
        self.log, self.table = log, table

    def advance(self, *, wait=False):
        if len(self.log.records) > self.table.offset:
            self.table.apply(self.log.records[self.table.offset :])

    def catch_up(self):
        self.advance()


class DiskWorker:
    """A worker's features on disk, as it takes them between two batches."""

    def __init__(self, log, folder, cache_bytes=1 << 20):
        self.log, self.folder = log, folder
        self.table = open_table(folder, ByGroup(), log.topic_state())
        self.cache = GroupCache(log.features, cache_bytes)
        self.served = ServedFeatures(log.features, log.codec, self.cache)
        self.cache.move_to(self.table.view(), keep=False)

    def update(self, *, keep=True):
        """Take what has arrived, as the updates of the groups in memory or by reading them anew."""
        records = self.log.records[self.table.offset :]
        if records:
            self.table.apply(records)
        self.cache.move_to(self.table.view(), keep=keep)
        self.served.apply(records if keep else ())
        self.served.offset = self.table.offset
        self.cache.trim()
        return self.served

    def close(self):
        self.cache.release()
        self.table.close()


class Log:
    """A topic of features in memory; what an aggregator returns is there once it is committed.

    With a folder, aggregators and workers keep their copies there.
    """

    def __init__(self, document, folder: Path | None = None, limit=100_000, lateness_ms=0):
        self.features = parse_features(document, "test")
        self.codec = UpdateCodec(TOPICS.features, self.features.aggregations)
        self.records = []
        self.folder, self.bounds = folder, Bounds(lateness_ms, limit)

    def redefined(self, document):
        """Return the same topic, read by other definitions."""
        other = Log(document, self.folder)
        other.records = self.records
        return other

    def topic_state(self):
        return TopicState("id", 0, len(self.records))

    def commit(self, produced):
        for one in produced:
            offset = len(self.records)
            self.records.append(Record(one.topic, 0, offset, one.key, one.value))

    def partials(self):
        """Return the partial aggregates that are not removed, by owner and key."""
        found = {}
        for record in self.records:
            update = self.codec.decode(record)
            if isinstance(update, PartialUpdate):
                found[update.owner, update.key] = update.partial
        return {name: partial for name, partial in found.items() if partial is not None}

    def recover(self, owners):
        found = [self.codec.decode(record) for record in self.records]
        return [one for one in found if one is not None and one.owner in set(owners)]

    def new_folder(self):
        return self.folder / str(next(_NUMBERS))

    def counts(self, folder=None):
        """Return the counts of a new aggregator, or of a restarted one in its folder."""
        if self.folder is None:
            return CountsInMemory(self.features, self.recover)
        table = open_table(folder or self.new_folder(), ByOwner(), self.topic_state())
        return CountsOnDisk(self.features, self.codec, table, Tail(self, table))

    def handler(self, epochs=None, counts=None):
        epochs = defaultdict(int) if epochs is None else epochs
        return AggregateHandler(
            self.features,
            EventDecoder(TOPICS, self.features),
            self.codec,
            counts or self.counts(),
            epochs.__getitem__,
            self.bounds,
        )

    def served(self):
        """Return the features as a worker reads them."""
        if self.folder is not None:
            return DiskWorker(self, self.new_folder()).update()
        served = ServedFeatures(self.features, self.codec)
        served.apply(self.records)
        return served
