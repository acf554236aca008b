"""The present features of a stream, read from its topic by a command."""

from collections import Counter
from threading import Event

from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import Reader
from modstream.broker.wire.records import TopicPartition
from modstream.features.definitions import Definitions
from modstream.features.recovery import read_to_present
from modstream.live.lag import without_markers
from modstream.processors.aggregate.events import EventDecoder
from modstream.processors.aggregate.served import ServedFeatures
from modstream.processors.aggregate.updates import BACKFILL, UpdateCodec
from modstream.settings import Settings


def read_snapshot(settings: Settings, found: Definitions) -> ServedFeatures:
    """Return the features as all that is committed makes them.

    Raises:
        TopicMissing: the topic of features does not exist.
    """
    topic = settings.topics().features
    served = ServedFeatures(found.features, UpdateCodec(topic, found.features.aggregations))
    with Reader(settings.connection, [topic]) as reader:
        served.apply(read_to_present(settings.connection, reader, topic, Event()))
    return served


def partials_by_aggregation(served: ServedFeatures) -> Counter[str]:
    """Return the number of partial aggregates of each aggregation, of all owners."""
    return Counter(
        key.aggregation for owner in served.state.owners for key, _ in served.state.items(owner)
    )


def first_counted(served: ServedFeatures, aggregation: str) -> dict[str, int]:
    """Return the first offset of each owner that an aggregation counts, with backfilled ones."""
    found: dict[str, int] = {}
    for (owner, name), offset in served.progress.starts.items():
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
