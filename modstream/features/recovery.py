"""Reads what was committed to a topic of features: all of it, or the updates of some owners."""

from collections.abc import Iterable, Iterator
from threading import Event

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.wire.records import Record, TopicPartition
from modstream.processors.aggregate.updates import UnknownUpdate, Update, UpdateCodec
from modstream.processors.errors import UnreadableFeatureState

POLL_SECONDS = 0.2
POLL_RECORDS = 1000


def feature_partition(topic: str) -> TopicPartition:
    """Return the only partition of a topic of features."""
    return TopicPartition(topic, 0)


def read_to_present(
    connection: Connection, reader: Reader, topic: str, stop: Event
) -> Iterator[Record]:
    """Yield the records from a reader's position to the present end of its topic of features.

    The end is that of all transactions that are open now: their outcome is awaited. So an owner
    that was just assigned sees all that its predecessor has committed.
    """
    for records in polls_to_present(connection, reader, topic, stop):
        yield from records


def polls_to_present(
    connection: Connection, reader: Reader, topic: str, stop: Event, *, committed: bool = False
) -> Iterator[list[Record]]:
    """Yield these records as they are polled.

    With `committed`, no transaction is awaited: the end is where the first one is open.
    """
    partition = feature_partition(topic)
    end = Admin(connection).end_offsets([topic], committed=committed)[partition]
    while reader.positions[partition] < end and not stop.is_set():
        yield reader.poll(POLL_SECONDS, POLL_RECORDS)


def read_updates(
    connection: Connection, topic: str, codec: UpdateCodec, stop: Event
) -> Iterator[tuple[int, Update | UnknownUpdate]]:
    """Yield all committed updates of a topic with their offsets; log how many records are none."""
    unreadable = 0
    with Reader(connection, [topic]) as reader:
        for record in read_to_present(connection, reader, topic, stop):
            try:
                update = codec.decode(record)
            except UnreadableFeatureState:
                unreadable += 1
                continue
            if update is not None:
                yield record.offset, update
    if unreadable:
        structlog.get_logger(__name__).warning(
            "records of the topic of features were skipped: they are not updates",
            topic=topic,
            records=unreadable,
        )


class Recovery:
    """Reads the updates of owners back, for an aggregator."""

    def __init__(self, connection: Connection, topic: str, codec: UpdateCodec, stop: Event) -> None:
        self._connection, self._topic, self._codec, self._stop = connection, topic, codec, stop

    def __call__(self, owners: Iterable[str]) -> list[Update | UnknownUpdate]:
        """Return all committed updates of some owners, in their order."""
        wanted = set(owners)
        updates = read_updates(self._connection, self._topic, self._codec, self._stop)
        return [update for _, update in updates if update.owner in wanted]
