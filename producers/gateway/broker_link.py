"""The gateway's connection to Kafka: sends records and reads replies, in threads of its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from threading import Event
from typing import Self

from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import DeliveryReport, Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.records import Offsets, ProducerRecord, Record
from modstream.broker.wire.topics import Topics
from modstream.producers.gateway.replies import Reply, read_reply

POLL_SECONDS = 0.1
FLUSH_SECONDS = 5.0


class BrokerLink:
    """Sends requests to some streams, and reads all their replies from now on.

    The replies are read without a consumer group, so that no rebalance ever interrupts them.
    """

    def __init__(self, connection: Connection, topics: Sequence[Topics]) -> None:
        """Connect to the topics of some streams; they must exist.

        Raises:
            TopicMissing: a stream's topics do not exist.
            BrokerUnavailable: no broker responds.
        """
        self._connection = connection
        self._reply_topics = [name for one in topics for name in (one.predictions, one.dlq)]
        with ExitStack() as undo:
            publisher = Publisher(
                connection, "modstream-gateway", keeps_failures=False, polls_on_send=False
            )
            self._publisher = undo.enter_context(publisher)
            with Reader(connection, self._reply_topics, "end") as reader:
                self._positions: Offsets = reader.positions
            undo.pop_all()
        self._partitions = count_partitions(self._positions)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._publisher.close()

    def partition_of(self, topics: Topics, key: bytes) -> int:
        """Return the partition that a stream's records with this key are in."""
        return partition_for_key(key, self._partitions[topics.predictions])

    def send(
        self, record: ProducerRecord, on_delivery: Callable[[DeliveryReport], None] | None = None
    ) -> None:
        """Enqueue a record; `on_delivery` is called in any thread.

        Raises:
            OversizeRecord: the record is larger than any topic takes.
        """
        self._publisher.send(record, on_delivery)

    def serve_deliveries(self, stop: Event) -> None:
        """Serve delivery reports until `stop` is set."""
        while not stop.is_set():
            self._publisher.poll(POLL_SECONDS)

    def read_replies(
        self,
        stop: Event,
        wants: Callable[[Reply], bool],
        on_replies: Callable[[list[Reply]], None],
    ) -> None:
        """Read replies until `stop` is set; after an error, a further call goes on from there.

        Args:
            stop: ends the reading.
            wants: returns whether a reply is to be handed on.
            on_replies: called with the wanted replies of a poll.

        Raises:
            BrokerError: the client failed.
        """
        with Reader(self._connection, self._reply_topics, self._positions) as reader:
            try:
                while not stop.is_set():
                    records = reader.poll(POLL_SECONDS, linger=0)
                    replies = list(filter(wants, self._read(records)))
                    if replies:
                        on_replies(replies)
            finally:
                self._positions = reader.positions

    @staticmethod
    def _read(records: Iterable[Record]) -> Iterable[Reply]:
        return (reply for record in records if (reply := read_reply(record)) is not None)


def count_partitions(positions: Offsets) -> Mapping[str, int]:
    """Return the number of partitions of each topic."""
    counts: dict[str, int] = {}
    for topic, _ in positions:
        counts[topic] = counts.get(topic, 0) + 1
    return counts
