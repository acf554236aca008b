"""A consumer-group member that polls whole batches."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.batch_settings import BatchSettings
from modstream.broker.client.connection import Connection, consumer_config
from modstream.broker.client.consumer_errors import RETRIED_ERRORS
from modstream.broker.client.conversions import to_record, to_records
from modstream.broker.client.offset_committer import OffsetCommitter
from modstream.broker.client.offset_resolver import OffsetResolver
from modstream.broker.client.offset_skipper import UNREADABLE_ERRORS, OffsetSkipper
from modstream.broker.errors import RightMissing, TopicMissing
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.records import (
    TOPIC_PARTITION,
    Offsets,
    Record,
    TopicPartition,
    first_offsets,
)

IGNORED_ERRORS = RETRIED_ERRORS | {KafkaError._PARTITION_EOF, KafkaError._MAX_POLL_EXCEEDED}


class GroupConsumer:
    """A group member that polls batches, drops revoked partitions, and rewinds aborted batches.

    One thread, the loop's, owns the consumer and alone may call its methods, with these exceptions:

    - the delivery thread calls `commit` and `group_metadata`;
    - the handler thread calls `assignment_epoch`;
    - the watchdog thread reads `owned` and `drained_polls`.

    Those never call the Kafka client, which admits one call at a time: they would otherwise wait
    as long as a poll does.
    """

    def __init__(
        self,
        connection: Connection,
        group: str,
        topics: Sequence[str],
        batch: BatchSettings | None = None,
        client_id: str = "modstream-worker",
    ) -> None:
        self._connection = connection
        self._batch = batch or BatchSettings()
        self._owned: set[TopicPartition] = set()
        self._epochs: Counter[TopicPartition] = Counter()
        self._start_offsets: dict[TopicPartition, int] = {}
        self._group_metadata: Any = None
        self._before_revoke: Callable[[], None] = lambda: None
        self._log = structlog.get_logger(__name__).bind(group=group)
        self._committer = OffsetCommitter(self._log)
        config = consumer_config(connection, client_id, group)
        self._consumer = Consumer({**config, "on_commit": self._committer.on_commit})
        self._resolver = OffsetResolver(self._consumer)
        self._skipper = OffsetSkipper(connection)
        self._unreadable: dict[TopicPartition, int] = {}
        self._idle_partitions: set[TopicPartition] = set()
        self.limits = RecordLimits()
        """The limits of the topics that the results go to: for the handler, and its delivery."""
        self.drained_polls = 0
        """The number of polls that took every available record."""
        self._consumer.subscribe(
            list(topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    @property
    def owned(self) -> frozenset[TopicPartition]:
        """The partitions that are currently assigned to this member."""
        return frozenset(self._owned)

    def assignment_epoch(self, partition: TopicPartition) -> int:
        """Return how often a partition has been assigned to this member."""
        return self._epochs[partition]

    def poll(self, max_records: int | None = None) -> list[Record]:
        """Return the next batch, in offset order within each partition; empty after an idle wait.

        Offsets that cannot be read are represented by one record without a value, at the last of
        them, with the header `modstream-skipped`.

        Raises:
            TopicMissing: a subscribed topic does not exist.
            BrokerError: the client failed.
        """
        self._committer.commit_async(self._consumer, self._owned)
        limit = self._batch.max_records
        limit = limit if max_records is None else min(max_records, limit)
        try:
            first = self._poll_first()
            if first is None:
                self._note_drained()
                return []
            rest = self._consumer.consume(limit - 1, self._batch.linger) if limit > 1 else []
            self._group_metadata = self._consumer.consumer_group_metadata()
            messages = self._without_errors([first, *rest])
            records = to_records(messages)
            if self._unreadable:
                records = self._skip_unreadable(records)
            if not self._owned.issuperset(map(TOPIC_PARTITION, records)):
                # A rebalance inside consume() has revoked the partition of a consumed record.
                records = [record for record in records if record.topic_partition in self._owned]
            if len(self._start_offsets) < len(self._owned):
                records = self._note_start(records)
        except KafkaException as error:
            raise self._connection.translate(error) from error
        if len(rest) < limit - 1:
            self._note_drained()
        return records

    def keep_alive(self) -> None:
        """Serve the group while a batch is handled; paused partitions return no records."""
        try:
            self._consumer.pause([KafkaPartition(*partition) for partition in self._owned])
            message = self._consumer.poll(0)
            self._consumer.resume([KafkaPartition(*partition) for partition in self._owned])
        except KafkaException as error:
            raise self._connection.translate(error) from error
        if message is not None and self._is_record(message):
            # Its partition was assigned after the pause. Seek back, so that it is polled again.
            self._seek(to_record(message).topic_partition, int(message.offset() or 0))
        # The client repeats an error of this kind.
        self._unreadable.clear()

    def before_revoke(self, finish: Callable[[], None]) -> None:
        """Register `finish`, which is called before partitions are given up."""
        self._before_revoke = finish

    def owns(self, batch: Iterable[Record]) -> bool:
        """Return whether the last batch's partitions have stayed assigned since it was polled.

        A partition that was lost and assigned again does not count: it resumes at its committed
        offset, so another member may have processed its records, or this one will poll them again.
        """
        return self._start_offsets.keys() >= set(map(TOPIC_PARTITION, batch))

    def rewind(self, batch: Sequence[Record]) -> None:
        """Seek each partition to the batch's first offset, so that the batch is polled again.

        Partitions that are no longer assigned are skipped. No partition is rewound to before the
        start of its present assignment.
        """
        for partition, offset in first_offsets(batch).items():
            if partition in self._start_offsets:
                self._seek(partition, max(offset, self._start_offsets[partition]))

    def commit(self, offsets: Offsets) -> None:
        """Have next offsets committed at the next poll, or before their partitions are given up."""
        self._committer.add(offsets)

    def group_metadata(self) -> Any:  # noqa: ANN401 - opaque to all but the producer
        """Return the group metadata as of the last poll; Kafka fences zombies by it (KIP-447)."""
        return self._group_metadata

    def close(self) -> None:
        """Leave the group at once, so that other members need not wait for a timeout."""
        self._committer.commit_sync(self._consumer, self._owned)
        self._consumer.close()

    def _seek(self, partition: TopicPartition, offset: int) -> None:
        self._consumer.seek(KafkaPartition(*partition, offset))

    def _note_start(self, records: list[Record]) -> list[Record]:
        """Note the start offset of each newly assigned partition.

        Returns:
            The records, without those of partitions that started at a wrong offset.
        """
        known = self._start_offsets
        fresh = {p: offset for p, offset in first_offsets(records).items() if p not in known}
        misplaced = self._resolver.misplaced(fresh) if fresh else frozenset()
        known.update((p, offset) for p, offset in fresh.items() if p not in misplaced)
        if not misplaced:
            return records
        return [record for record in records if record.topic_partition not in misplaced]

    def _note_drained(self) -> None:
        """Note that all available records were taken, and which partitions never had any.

        The client may have lost track of the latter.
        """
        self.drained_polls += 1
        if len(self._start_offsets) < len(self._owned):
            self._idle_partitions = self._owned - self._start_offsets.keys()

    def _poll_first(self) -> Message | None:
        """Return the next message, or None after an idle wait.

        Partitions without a start offset are assigned one first.
        """
        idle, self._idle_partitions = self._idle_partitions, set()
        while True:
            self._resolver.assign_resolved(idle & self._owned)
            message = self._consumer.poll(self._batch.poll_timeout)
            if message is None or self._is_record(message) or self._unreadable:
                return message

    def _without_errors(self, messages: list[Message]) -> list[Message]:
        if not any(map(Message.error, messages)):
            return messages
        return [message for message in messages if self._is_record(message)]

    def _skip_unreadable(self, records: list[Record]) -> list[Record]:
        """Step over unreadable offsets, and return the batch with a record for them.

        Behind an unreadable batch, the client may read a partition at a wrong place. So its records
        from there on are left out, and read again if the batch turns out to be readable.
        """
        unreadable, self._unreadable = self._unreadable, {}
        for partition, offset in unreadable.items():
            later = [r.offset for r in records if r[:2] == partition and r.offset >= offset]
            records = [r for r in records if r[:2] != partition or r.offset < offset]
            skipped = self._skipper.find(partition, offset)
            if skipped is not None:
                records.append(skipped.to_record())
            if partition in self._owned and (skipped or later):
                self._reassign(partition, skipped.next if skipped else min(later))
        return records

    def _reassign(self, partition: TopicPartition, offset: int) -> None:
        """Continue a partition at an offset, even if the client has stopped fetching it.

        Behind a damaged batch, the client may request an offset that does not exist, and stop.
        """
        self._consumer.incremental_unassign([KafkaPartition(*partition)])
        self._consumer.incremental_assign([KafkaPartition(*partition, offset)])
        self._resolver.discard(partition)

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() in IGNORED_ERRORS:
            self._log.warning("consumer notice", notice=error.str())
            return False
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._resolver.add(to_record(message).topic_partition)
            return False
        if error.code() in UNREADABLE_ERRORS:
            record = to_record(message)
            self._unreadable.setdefault(record.topic_partition, record.offset)
            return False
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TopicMissing(str(message.topic()))
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise RightMissing(f"to read the topic {message.topic()}")
        raise self._connection.translate(KafkaException(error))

    def _on_assign(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        assigned = [TopicPartition(p.topic, p.partition) for p in partitions]
        self._owned.update(assigned)
        self._epochs.update(assigned)
        self._log.info("partitions assigned", partitions=[p.partition for p in partitions])

    def _on_revoke(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        self._before_revoke()
        self._committer.commit_sync(self._consumer, self._owned)
        self._drop(partitions)
        self._log.info("partitions revoked", partitions=[p.partition for p in partitions])

    def _on_lost(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        """Drop lost partitions without a commit.

        Other members may own them already; Kafka fences the delivery in flight.
        """
        self._drop(partitions)
        self._before_revoke()
        self._log.warning("partitions lost", partitions=[p.partition for p in partitions])

    def _drop(self, partitions: list[KafkaPartition]) -> None:
        # A pause outlives the assignment: a partition revoked during a batch would return paused.
        self._consumer.resume(partitions)
        for revoked in partitions:
            partition = TopicPartition(revoked.topic, revoked.partition)
            self._owned.discard(partition)
            self._start_offsets.pop(partition, None)
            self._resolver.discard(partition)
