"""Administration of the cluster: topics, their offsets, and the lag of consumer groups."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

import stamina
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, TopicMetadata

from modstream.broker.client.connection import UNAVAILABLE_ERRORS, Connection, client_config
from modstream.broker.client.groups import group_members
from modstream.broker.client.offset_lookup import EARLIEST, LATEST, REQUEST_TIMEOUT_S, OffsetLookup
from modstream.broker.errors import BrokerUnavailable, TopicMissing, TopicRefused, TransactionOpen
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import TopicSpec

T = TypeVar("T")

RETENTION_MS = "retention.ms"
MAX_MESSAGE_BYTES = "max.message.bytes"
"""The topic setting that limits the size of a record, and of a batch of records."""
ADMIN_TIMEOUT_S = 15.0
"""Timeout of one administrative request, and of its retries."""
METADATA_DELAY_S = 2.0
"""How long a broker may be behind with the metadata of a topic, for example in a failover."""
TRANSACTIONS_TIMEOUT_S = 20.0
"""Timeout for open transactions to end; the brokers abort ours after 15 s."""

retry_unavailable = stamina.retry(
    on=BrokerUnavailable, attempts=None, timeout=ADMIN_TIMEOUT_S, wait_initial=0.02, wait_max=0.5
)
"""Retry while a leader or coordinator is being elected, as after every start.

Decorates only methods that send a single request, so that retries are never nested.
"""

retry_missing = stamina.retry(
    on=TopicMissing, attempts=None, timeout=METADATA_DELAY_S, wait_initial=0.05, wait_max=0.5
)
"""Look for a missing topic again, since brokers learn of topics at different times."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic in the cluster; `records` counts offsets, including those of transaction markers."""

    name: str
    partitions: int
    records: int


class Admin:
    """The cluster's administration."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = AdminClient(client_config(connection, "modstream-admin"))
        self._lookups = {c: OffsetLookup(connection, committed=c) for c in (False, True)}
        self._group_clients: dict[str, Consumer] = {}

    def create(self, specs: Iterable[TopicSpec]) -> list[str]:
        """Create the missing topics and wait until every partition has a leader.

        Returns:
            The names of the topics that were created.

        Raises:
            TopicRefused: the cluster refused to create a topic.
            BrokerUnavailable: no broker responded in time.
        """
        wanted = {spec.name: spec for spec in specs}
        topics = [NewTopic(s.name, s.partitions, config=s.config) for s in wanted.values()]
        created = self._create_missing(topics)
        self.wait_ready(wanted)
        return created

    @retry_unavailable
    def _create_missing(self, topics: list[NewTopic]) -> list[str]:
        """Return the names of the created topics.

        If a response is lost and the request is retried, the topic counts as existing.
        """
        created = []
        futures = self._client.create_topics(topics, request_timeout=ADMIN_TIMEOUT_S)
        for name, future in futures.items():
            try:
                self._wait_for(future)
                created.append(name)
            except KafkaException as error:
                self._ignore_existing(name, error)
        return created

    def wait_ready(self, names: Iterable[str]) -> None:
        """Wait until every partition of these topics has a leader that responds."""
        for attempt in stamina.retry_context(
            on=TopicMissing, attempts=None, timeout=ADMIN_TIMEOUT_S, wait_initial=0.02, wait_max=0.2
        ):
            with attempt:
                self.end_offsets(list(names))

    def topics(self, prefix: str = "") -> list[TopicState]:
        """Return the non-internal topics whose names begin with `prefix`, sorted by name."""
        found = {
            name: [TopicPartition(name, p) for p in topic.partitions]
            for name, topic in self._metadata().items()
            if name.startswith(prefix) and not name.startswith("__")
        }
        every = [partition for partitions in found.values() for partition in partitions]
        ends, starts = self._offsets(every, LATEST), self._offsets(every, EARLIEST)
        return [
            TopicState(name, len(partitions), sum(ends[p] - starts[p] for p in partitions))
            for name, partitions in sorted(found.items())
        ]

    def end_offsets(
        self, topics: Sequence[str], *, committed: bool = False
    ) -> dict[TopicPartition, int]:
        """Return the next offset of each partition of some topics.

        With `committed`, return the last stable offsets: readers of committed records cannot read
        further while a transaction is open.
        """
        return self._offsets(self._partitions_of(topics), LATEST, committed=committed)

    @retry_unavailable
    def topic_id(self, topic: str) -> str:
        """Return the id that Kafka gave a topic when it was created."""
        asked = TopicCollection([topic])
        (future,) = self._client.describe_topics(asked, request_timeout=ADMIN_TIMEOUT_S).values()
        try:
            found = self._wait_for(future)
        except KafkaException as error:
            raise self._connection.translate(error) from error
        return str(found.topic_id)

    def first_offsets(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """Return the first offset that each partition of some topics still has."""
        return self._offsets(self._partitions_of(topics), EARLIEST)

    def offsets_since(self, topics: Sequence[str], timestamp: int) -> dict[TopicPartition, int]:
        """Return the offset of each partition's first record of `timestamp` (ms) or later.

        The result for a partition without such a record is its end offset. Records need not be
        ordered by time: all records of `timestamp` or later are at these offsets or beyond.
        """
        ends = self.end_offsets(topics)
        found = self._offsets(list(ends), timestamp)
        return {p: end if found[p] < 0 else found[p] for p, end in ends.items()}

    def wait_for_transactions(self, topics: Sequence[str]) -> None:
        """Wait until every present record of these topics is committed or aborted.

        Raises:
            TransactionOpen: a transaction stayed open for longer than any of ours can.
        """
        ends = self.end_offsets(topics)
        for attempt in stamina.retry_context(
            on=TransactionOpen,
            attempts=None,
            timeout=TRANSACTIONS_TIMEOUT_S,
            wait_initial=0.02,
            wait_max=0.5,
        ):
            with attempt:
                stable = self.end_offsets(topics, committed=True)
                for partition, end in ends.items():
                    if stable[partition] < end:
                        raise TransactionOpen(str(partition), TRANSACTIONS_TIMEOUT_S)

    def committed_offsets(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """Return a group's committed offsets; partitions without an offset are left out."""
        return self._committed_offsets(group, self._partitions_of(topics))

    def count_members(self, group: str, *, with_partitions: bool = True) -> int:
        """Return how many members of a group have partitions now, or how many there are.

        During a rebalance no member has partitions.
        """
        members = group_members(self._connection, group)
        return sum(bool(one.partitions) or not with_partitions for one in members)

    def lag(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """Return the number of offsets between a group's committed offset and each end offset."""
        committed = self.committed_offsets(group, topics)
        return {p: end - committed.get(p, 0) for p, end in self.end_offsets(topics).items()}

    @retry_unavailable
    def record_limits(self, topics: Sequence[str]) -> dict[str, int]:
        """Return the maximum size of a record in bytes of each topic (`max.message.bytes`).

        Raises:
            TopicMissing: a topic does not exist.
            BrokerError: the cluster does not return them, for example without the permission.
        """
        return self._numbers(topics, MAX_MESSAGE_BYTES)

    @retry_unavailable
    def retention_ms(self, topic: str) -> int:
        """Return how long a topic keeps its records in ms (`retention.ms`); -1 for always.

        Raises:
            TopicMissing: the topic does not exist.
            BrokerError: the cluster does not return it, for example without the permission.
        """
        return self._numbers([topic], RETENTION_MS)[topic]

    def _numbers(self, topics: Sequence[str], setting: str) -> dict[str, int]:
        """Return a setting of each topic that is a number."""
        resources = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
        found = {}
        for resource, future in self._client.describe_configs(resources).items():
            try:
                found[resource.name] = int(self._wait_for(future)[setting].value)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise TopicMissing(resource.name) from error
                raise self._connection.translate(error) from error
        return found

    def delete(self, names: Sequence[str]) -> None:
        """Delete topics; missing topics are ignored."""
        for future in self._client.delete_topics(list(names)).values():
            try:
                self._wait_for(future)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise self._connection.translate(error) from error

    @retry_missing
    def _partitions_of(self, topics: Sequence[str]) -> list[TopicPartition]:
        known = self._metadata()
        for topic in topics:
            if topic not in known or known[topic].error is not None or not known[topic].partitions:
                raise TopicMissing(topic)
        return [TopicPartition(t, p) for t in topics for p in known[t].partitions]

    @retry_unavailable
    def _metadata(self) -> dict[str, TopicMetadata]:
        try:
            return self._client.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        except KafkaException as error:
            raise BrokerUnavailable(self._connection.bootstrap, error.args[0].str()) from error

    @retry_unavailable
    def _committed_offsets(
        self, group: str, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Request committed offsets with a consumer that never joins the group.

        The same request of the admin client crashes the process when the group's coordinator moves
        (https://github.com/confluentinc/librdkafka/issues/5040).
        """
        if group not in self._group_clients:
            config = client_config(self._connection, "modstream-admin") | {
                "group.id": group,
                # With read_committed, the response waits for open transactions with group offsets.
                "isolation.level": "read_uncommitted",
            }
            self._group_clients[group] = Consumer(config)
        requested = [KafkaPartition(*partition) for partition in partitions]
        try:
            found = self._group_clients[group].committed(requested, timeout=REQUEST_TIMEOUT_S)
        except KafkaException as error:
            raise self._connection.translate(error) from error
        return {TopicPartition(p.topic, p.partition): p.offset for p in found if p.offset >= 0}

    @retry_unavailable
    def _offsets(
        self, partitions: Sequence[TopicPartition], time: int, *, committed: bool = False
    ) -> dict[TopicPartition, int]:
        return self._lookups[committed](partitions, time)

    def _wait_for(self, future: Future[T]) -> T:
        """Return the result of an administrative request.

        Raises:
            KafkaException: the request failed.
            BrokerUnavailable: no response arrived in time.
        """
        try:
            return future.result(ADMIN_TIMEOUT_S)
        except TimeoutError as error:
            raise BrokerUnavailable(
                self._connection.bootstrap, f"no answer within {ADMIN_TIMEOUT_S:g} s"
            ) from error

    def _ignore_existing(self, name: str, error: KafkaException) -> None:
        """Raise the error of a failed topic creation, unless the topic exists."""
        cause: KafkaError = error.args[0]
        if cause.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return
        if cause.name() in UNAVAILABLE_ERRORS:
            raise BrokerUnavailable(self._connection.bootstrap, cause.str()) from error
        raise TopicRefused(name, cause.str()) from error
