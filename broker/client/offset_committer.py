"""The offsets that a member of a group commits, one set at a time."""

from collections.abc import Collection
from threading import Lock

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from structlog.typing import FilteringBoundLogger

from modstream.broker.client.conversions import kafka_offsets
from modstream.broker.wire.records import Offsets, TopicPartition


class Commits:
    """Next offsets that are due. Any thread may add some, only the consumer's owner sends them.

    Sent and not waited for, one set is on its way at a time, and what is due meanwhile goes with
    the next. A coordinator takes the requests of a connection one by one, heartbeats among them:
    some hundreds of commits at once cost a member its session. A failure costs answers given
    twice later, no record.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._lock = Lock()
        self._due: dict[TopicPartition, int] = {}
        self._is_under_way = False

    def add(self, offsets: Offsets) -> None:
        """Note what is due."""
        with self._lock:
            self._due.update(offsets)

    def send(self, consumer: Consumer, owned: Collection[TopicPartition]) -> None:
        """Have what is due of the partitions that are owned committed while we go on."""
        if self._is_under_way or not (offsets := self._taken(owned)):
            return
        try:
            consumer.commit(offsets=offsets)
            self._is_under_way = True
        except KafkaException as error:
            self._failed(error.args[0])

    def finish(self, consumer: Consumer, owned: Collection[TopicPartition]) -> None:
        """Commit the rest and wait for it, as before partitions are given away."""
        if offsets := self._taken(owned):
            try:
                consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as error:
                self._failed(error.args[0])

    def done(self, error: KafkaError | None, _: list[KafkaPartition]) -> None:
        """Told by the client how a commit ended."""
        self._is_under_way = False
        if error is not None:
            self._failed(error)

    def _taken(self, owned: Collection[TopicPartition]) -> list[KafkaPartition]:
        with self._lock:
            due, self._due = self._due, {}
        return kafka_offsets({home: due[home] for home in due if home in owned})

    def _failed(self, error: KafkaError) -> None:
        self._log.warning("offsets not committed", cause=error.str())
