"""Backfill: features that were added later count what was recorded before they were."""

from collections.abc import Iterator
from typing import NamedTuple

from modstream.broker.client.admin import Admin
from modstream.broker.client.produce import produce_records
from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.client.transactions import TransactionalProducer
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.records import ProducerRecord, TopicPartition
from modstream.features.definitions import Definitions
from modstream.features.snapshot import read_progress
from modstream.processors.aggregate.events import EventDecoder
from modstream.processors.aggregate.updates import (
    BACKFILL,
    PartialUpdate,
    Progress,
    StartUpdate,
    UpdateCodec,
)
from modstream.processors.features.state import FeatureState
from modstream.settings import Settings


class BackfillResult(NamedTuple):
    """The numbers of records that were read, of events, and of partial aggregates written."""

    records: int
    events: int
    partials: int


class Gap(NamedTuple):
    """The aggregations of an owner that have not counted its records before some offset."""

    owner: str
    first: int
    starts: dict[str, int]


def backfill(settings: Settings, found: Definitions) -> BackfillResult:
    """Count the records before each aggregation's start, as far as they are retained.

    The result is written in one transaction, under owners of its own. To do it again writes the
    same values, unless records have expired since.

    Raises:
        TopicMissing: the topic of features, or one of a source, does not exist.
    """
    features, topic = found.features, settings.topics().features
    decoder = EventDecoder(settings.topics(), features)
    codec = UpdateCodec(topic, features.aggregations)
    progress = read_progress(settings, found)
    state, updates, records, events = FeatureState(features), [], 0, 0
    for gap in _gaps(settings, decoder, progress):
        partition = TopicPartition.parse(gap.owner)
        last = max(gap.starts.values())
        owner = BACKFILL + gap.owner
        ranges = {partition: (gap.first, last)}
        for record in read_offset_ranges(settings.connection, partition.topic, ranges):
            records += 1
            for event in decoder.decode(record):
                events += 1
                for key, partial in features.contributions(event):
                    if record.offset < gap.starts.get(key.aggregation, 0):
                        state.merge(owner, key, partial)
        updates += [StartUpdate(owner, name, gap.first) for name in gap.starts]
    partials = [
        PartialUpdate(owner, key, partial)
        for owner in state.owners
        for key, partial in state.items(owner)
    ]
    write_updates(settings, [*map(codec.encode, partials), *map(codec.encode, updates)])
    return BackfillResult(records, events, len(partials))


def _gaps(settings: Settings, decoder: EventDecoder, progress: Progress) -> Iterator[Gap]:
    """Yield the partitions that have records from before an aggregation's start."""
    firsts = Admin(settings.connection).first_offsets(decoder.topics)
    for partition, first in sorted(firsts.items()):
        owner = str(partition)
        starts = {
            name: start
            for name in decoder.fed_by(partition.topic)
            if (start := progress.starts.get((owner, name), 0)) > first
        }
        if starts:
            yield Gap(owner, first, starts)


def write_updates(settings: Settings, records: list[ProducerRecord]) -> None:
    """Write records to the topic of features, in one transaction."""
    if not records:
        return
    client_id = f"{settings.topics().group('aggregator')}-backfill"
    limit = RecordLimits().of(settings.topics().features)
    producer = TransactionalProducer(settings.connection, client_id, limit)
    try:
        with producer.transaction() as transaction:
            produce_records(transaction, records)
    finally:
        producer.close()
