"""Commits the offsets of a group member, one request at a time."""

from collections.abc import Collection
from threading import Lock

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from structlog.typing import FilteringBoundLogger

from modstream.broker.client.conversions import to_kafka_offsets
from modstream.broker.wire.records import Offsets, TopicPartition


class OffsetCommitter:
    """Pending next offsets. Any thread may add offsets; only the consumer's thread commits them.

    Only one asynchronous commit is in flight at a time; offsets that are added meanwhile go with
    the next one. A coordinator processes the requests of a connection one after the other,
    heartbeats included: hundreds of commits at once have cost a member its session. If a commit
    fails, some responses may be repeated later, but no record is lost.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._lock = Lock()
        self._pending: dict[TopicPartition, int] = {}
        self._is_in_flight = False

    def add(self, offsets: Offsets) -> None:
        """Add offsets to commit."""
        with self._lock:
            self._pending.update(offsets)

    def commit_async(self, consumer: Consumer, owned: Collection[TopicPartition]) -> None:
        """Commit the pending offsets of owned partitions without waiting for the result."""
        if self._is_in_flight or not (offsets := self._take_pending(owned)):
            return
        try:
            consumer.commit(offsets=offsets)
            self._is_in_flight = True
        except KafkaException as error:
            self._log_failure(error.args[0])

    def commit_sync(self, consumer: Consumer, owned: Collection[TopicPartition]) -> None:
        """Commit the pending offsets of owned partitions and wait for the result."""
        if offsets := self._take_pending(owned):
            try:
                consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as error:
                self._log_failure(error.args[0])

    def on_commit(self, error: KafkaError | None, _: list[KafkaPartition]) -> None:
        """Note the end of an asynchronous commit; the client calls this."""
        self._is_in_flight = False
        if error is not None:
            self._log_failure(error)

    def _take_pending(self, owned: Collection[TopicPartition]) -> list[KafkaPartition]:
        with self._lock:
            pending, self._pending = self._pending, {}
        return to_kafka_offsets({p: offset for p, offset in pending.items() if p in owned})

    def _log_failure(self, error: KafkaError) -> None:
        self._log.warning("offsets not committed", cause=error.str())
