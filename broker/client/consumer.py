"""A member of a consumer group that hands out whole batches."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.connection import Connection, consumer_config
from modstream.broker.client.conversions import read, read_all
from modstream.broker.client.offset_committer import Commits
from modstream.broker.client.offset_resolver import Astray
from modstream.broker.errors import TopicMissing
from modstream.broker.wire.records import (
    HOME,
    Offsets,
    Record,
    TopicPartition,
    first_offsets,
)

HARMLESS = frozenset({KafkaError._PARTITION_EOF, KafkaError._MAX_POLL_EXCEEDED})


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What makes a batch: at most `most` records, that can be handled in `seconds`.

    Once a first record has come, what is there makes the batch, and what comes within `linger`:
    mostly no time is best, since a batch under way lets the next one grow. `idle` bounds a poll.
    Times in seconds. `linger` stays below 0.2 s: beyond it `Consumer.consume` has changed its
    meaning twice (https://github.com/confluentinc/confluent-kafka-python/issues/2205).
    """

    most: int = 10_000
    seconds: float = 0.1
    linger: float = 0.0
    idle: float = 0.2


class GroupConsumer:
    """One group member: polls batches, forgets what was revoked, rewinds what was aborted.

    One thread owns it. The client lets one call in at a time, so that another thread would wait
    for as long as a poll does; what others need, `commit` and `group_metadata`, calls nothing.
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
        self._tenures: Counter[TopicPartition] = Counter()
        self._since: dict[TopicPartition, int] = {}
        self._member: Any = None
        self._finish: Callable[[], None] = lambda: None
        self._log = structlog.get_logger(__name__).bind(group=group)
        self._commits = Commits(self._log)
        config = consumer_config(connection, client_id, group)
        self._consumer = Consumer({**config, "on_commit": self._commits.done})
        self._astray = Astray(self._consumer)
        self._silent: set[TopicPartition] = set()
        self.drained = 0
        """How often a poll has left nothing behind that it could have taken."""
        self._consumer.subscribe(
            list(topics),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )

    @property
    def owned(self) -> frozenset[TopicPartition]:
        """The partitions this member is assigned now."""
        return frozenset(self._owned)

    def tenure(self, home: TopicPartition) -> int:
        """How often a partition has been assigned to this member."""
        return self._tenures[home]

    def poll(self, most: int | None = None) -> list[Record]:
        """The next batch, in offset order within each partition; empty after an idle wait.

        Raises:
            TopicMissing: a subscribed topic does not exist.
            BrokerError: the client gave up.
        """
        self._commits.send(self._consumer, self._owned)
        most = self._batch.most if most is None else min(most, self._batch.most)
        try:
            first = self._first()
            if first is None:
                self._note_drained()
                return []
            rest = self._consumer.consume(most - 1, self._batch.linger) if most > 1 else []
            self._member = self._consumer.consumer_group_metadata()
            records = read_all(self._records([first, *rest]))
            if not self._owned.issuperset(map(HOME, records)):
                # A rebalance inside consume() has taken a partition whose record we already hold.
                records = [record for record in records if record.home in self._owned]
            if len(self._since) < len(self._owned):
                records = self._begun(records)
        except KafkaException as error:
            raise self._connection.translated(error) from error
        if len(rest) < most - 1:
            self._note_drained()
        return records

    def keep_alive(self) -> None:
        """Serve the group while a batch is in hand: paused partitions give no record."""
        try:
            self._consumer.pause([KafkaPartition(*home) for home in self._owned])
            message = self._consumer.poll(0)
            self._consumer.resume([KafkaPartition(*home) for home in self._owned])
        except KafkaException as error:
            raise self._connection.translated(error) from error
        if message is not None and self._is_record(message):
            # A rebalance gave us a partition after the pause: its record is read again later.
            self._seek(read(message).home, int(message.offset() or 0))

    def before_revoke(self, finish: Callable[[], None]) -> None:
        """Call `finish` before partitions are given away: what is under way ends first."""
        self._finish = finish

    def owns(self, batch: Iterable[Record]) -> bool:
        """Whether every partition of the batch polled last has been this member's own since then.

        One that was lost and came back is not: it begins again at what is committed, and its
        records may have been answered by another member meanwhile, or be read again by this one.
        """
        return self._since.keys() >= set(map(HOME, batch))

    def rewind(self, batch: Sequence[Record]) -> None:
        """Read the batch again: every partition goes back to its first offset.

        But none that is no longer owned, and none behind where its present assignment began.
        """
        for home, offset in first_offsets(batch).items():
            if home in self._since:
                self._seek(home, max(offset, self._since[home]))

    def commit(self, offsets: Offsets) -> None:
        """Have next offsets committed soon: behind a next poll, or else before partitions go."""
        self._commits.add(offsets)

    def group_metadata(self) -> Any:  # noqa: ANN401 - opaque to everyone but the producer
        """Who this member was in its group when it last polled: what fences a zombie (KIP-447)."""
        return self._member

    def close(self) -> None:
        """Leave the group at once, so that others take over without waiting for a timeout."""
        self._commits.finish(self._consumer, self._owned)
        self._consumer.close()

    def _seek(self, home: TopicPartition, offset: int) -> None:
        self._consumer.seek(KafkaPartition(home.topic, home.partition, offset))

    def _begun(self, records: list[Record]) -> list[Record]:
        """Note where partitions began; without the records of those that began at a wrong place."""
        fresh = {h: o for h, o in first_offsets(records).items() if h not in self._since}
        strays = self._astray.strays(fresh) if fresh else frozenset()
        self._since.update((home, offset) for home, offset in fresh.items() if home not in strays)
        return [record for record in records if record.home not in strays] if strays else records

    def _note_drained(self) -> None:
        """Nothing more could be taken: who has given nothing until now may have been lost."""
        self.drained += 1
        if len(self._since) < len(self._owned):
            self._silent = self._owned - self._since.keys()

    def _first(self) -> Message | None:
        """The next record, or None after an idle wait; partitions without a place get one."""
        silent, self._silent = self._silent, set()
        while True:
            self._astray.place(silent & self._owned)
            message = self._consumer.poll(self._batch.idle)
            if message is None or self._is_record(message):
                return message

    def _records(self, messages: list[Message]) -> list[Message]:
        if not any(map(Message.error, messages)):
            return messages
        return [message for message in messages if self._is_record(message)]

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() in HARMLESS:
            self._log.warning("consumer notice", notice=error.str())
            return False
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._astray.add(read(message).home)
            return False
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TopicMissing(str(message.topic()))
        raise self._connection.translated(KafkaException(error))

    def _assigned(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        homes = [TopicPartition(p.topic, p.partition) for p in partitions]
        self._owned.update(homes)
        self._tenures.update(homes)
        self._log.info("partitions assigned", partitions=[p.partition for p in partitions])

    def _revoked(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        self._finish()
        self._commits.finish(self._consumer, self._owned)
        self._drop(partitions)
        self._log.info("partitions revoked", partitions=[p.partition for p in partitions])

    def _lost(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        """Others may own them already: the delivery under way is fenced, nothing is committed."""
        self._drop(partitions)
        self._finish()
        self._log.warning("partitions lost", partitions=[p.partition for p in partitions])

    def _drop(self, partitions: list[KafkaPartition]) -> None:
        # A pause outlives the assignment: what goes during a batch would come back paused.
        self._consumer.resume(partitions)
        for partition in partitions:
            home = TopicPartition(partition.topic, partition.partition)
            self._owned.discard(home)
            self._since.pop(home, None)
            self._astray.discard(home)
