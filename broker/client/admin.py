"""Creating topics, waiting until they are ready, and looking at them and at groups' lag."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

import stamina
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient, NewTopic, TopicMetadata

from modstream.broker.client.connection import UNREACHABLE, Connection, client_config
from modstream.broker.client.offset_lookup import EARLIEST, LATEST, QUESTION, Lookup
from modstream.broker.errors import BrokerUnavailable, TopicMissing, TopicRefused, Undecided
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import TopicSpec

Answer = TypeVar("Answer")

SECONDS = 15.0
"""Bound of one administrative request, and of asking again."""
DECIDED = 20.0
"""Seconds; the brokers abort our transactions after 15."""


patient = stamina.retry(
    on=BrokerUnavailable, attempts=None, timeout=SECONDS, wait_initial=0.02, wait_max=0.5
)
"""Ask again while a leader or coordinator is just taking over, as after every start.

Stands at single questions to the brokers only, so that no patience is nested in another.
"""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it; `records` counts offsets, markers of transactions too."""

    name: str
    partitions: int
    records: int


class Admin:
    """The cluster's administration."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = AdminClient(client_config(connection, "modstream-admin"))
        self._lookups = {which: Lookup(connection, committed=which) for which in (False, True)}
        self._groups: dict[str, Consumer] = {}

    def create(self, specs: Iterable[TopicSpec]) -> list[str]:
        """Create what is missing and wait until every topic has a leader; returns the new names.

        Raises:
            TopicRefused: the cluster would not have it so.
            BrokerUnavailable: nobody answered.
        """
        wanted = {spec.name: spec for spec in specs}
        created = self._created(
            [
                NewTopic(spec.name, num_partitions=spec.partitions, config=spec.config)
                for spec in wanted.values()
            ]
        )
        self.wait_ready(wanted)
        return created

    @patient
    def _created(self, topics: list[NewTopic]) -> list[str]:
        """The names of those that were not there; an answer that got lost counts as "there"."""
        created = []
        for name, future in self._client.create_topics(topics, request_timeout=SECONDS).items():
            try:
                self._answer(future)
                created.append(name)
            except KafkaException as error:
                self._unless_there(name, error)
        return created

    def wait_ready(self, names: Iterable[str]) -> None:
        """Wait until every partition of these topics has a leader that answers."""
        for attempt in stamina.retry_context(
            on=TopicMissing, attempts=None, timeout=SECONDS, wait_initial=0.02, wait_max=0.2
        ):
            with attempt:
                self.ends(list(names))

    def topics(self, prefix: str = "") -> list[TopicState]:
        """The topics whose names begin with `prefix`, internal ones left out, sorted by name."""
        found = {
            name: [TopicPartition(name, p) for p in topic.partitions]
            for name, topic in self._metadata().items()
            if name.startswith(prefix) and not name.startswith("__")
        }
        everywhere = [p for homes in found.values() for p in homes]
        ends, begins = self._offsets(everywhere, LATEST), self._offsets(everywhere, EARLIEST)
        return [
            TopicState(name, len(homes), sum(ends[p] - begins[p] for p in homes))
            for name, homes in sorted(found.items())
        ]

    def ends(self, topics: Sequence[str], *, committed: bool = False) -> dict[TopicPartition, int]:
        """The next offset of each partition of some topics.

        With `committed` the last stable offset: where readers of committed records must stop
        while a transaction is open.
        """
        return self._offsets(self._homes(topics), LATEST, committed=committed)

    def since(self, topics: Sequence[str], timestamp: int) -> dict[TopicPartition, int]:
        """Where each partition holds its first record of `timestamp` (ms) or later, or else ends.

        All records of that time or later lie at these offsets or beyond, in whatever order they
        were written.
        """
        ends = self.ends(topics)
        found = self._offsets(list(ends), timestamp)
        return {home: end if found[home] < 0 else found[home] for home, end in ends.items()}

    def await_decided(self, topics: Sequence[str]) -> None:
        """Wait until every record that lies in these topics now is committed or aborted.

        Raises:
            Undecided: a transaction stayed open for longer than any of ours may.
        """
        ends = self.ends(topics)
        for attempt in stamina.retry_context(
            on=Undecided, attempts=None, timeout=DECIDED, wait_initial=0.02, wait_max=0.5
        ):
            with attempt:
                stable = self.ends(topics, committed=True)
                for home, end in ends.items():
                    if stable[home] < end:
                        raise Undecided(str(home), DECIDED)

    def committed(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """A group's committed offsets on some topics; partitions without one are left out."""
        return self._positions(group, self._homes(topics))

    @patient
    def members(self, group: str) -> int:
        """How many members of a group have partitions now.

        Asked by a client of its own, which goes with the answer: once this call has timed out, it
        crashes the process when the broker that it asked goes away
        (https://github.com/confluentinc/librdkafka/issues/4605).
        """
        client = AdminClient(client_config(self._connection, "modstream-members"))
        try:
            found = self._answer(client.describe_consumer_groups([group])[group])
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return 0
            raise self._connection.translated(error) from error
        return sum(bool(member.assignment.topic_partitions) for member in found.members)

    def lag(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """Offsets between what a group committed and where each partition ends."""
        done = self.committed(group, topics)
        return {home: end - done.get(home, 0) for home, end in self.ends(topics).items()}

    def delete(self, names: Sequence[str]) -> None:
        """Delete topics; those that are gone already are no error."""
        for future in self._client.delete_topics(list(names)).values():
            try:
                self._answer(future)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise self._connection.translated(error) from error

    def _homes(self, topics: Sequence[str]) -> list[TopicPartition]:
        """The partitions of some topics."""
        known = self._metadata()
        for topic in topics:
            if topic not in known or known[topic].error is not None or not known[topic].partitions:
                raise TopicMissing(topic)
        return [TopicPartition(t, p) for t in topics for p in known[t].partitions]

    @patient
    def _metadata(self) -> dict[str, TopicMetadata]:
        try:
            return self._client.list_topics(timeout=QUESTION).topics
        except KafkaException as error:
            raise BrokerUnavailable(self._connection.bootstrap, error.args[0].str()) from error

    @patient
    def _positions(self, group: str, homes: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Asked by a consumer that never joins.

        The admin client's own call crashes the process when the group's coordinator moves
        (https://github.com/confluentinc/librdkafka/issues/5040).
        """
        if group not in self._groups:
            config = client_config(self._connection, "modstream-admin") | {
                "group.id": group,
                # Else the answer waits while a transaction holds further offsets of the group.
                "isolation.level": "read_uncommitted",
            }
            self._groups[group] = Consumer(config)
        asked = [KafkaPartition(home.topic, home.partition) for home in homes]
        try:
            answers = self._groups[group].committed(asked, timeout=QUESTION)
        except KafkaException as error:
            raise self._connection.translated(error) from error
        return {TopicPartition(p.topic, p.partition): p.offset for p in answers if p.offset >= 0}

    @patient
    def _offsets(
        self, homes: Sequence[TopicPartition], time: int, *, committed: bool = False
    ) -> dict[TopicPartition, int]:
        return self._lookups[committed](homes, time)

    def _answer(self, future: Future[Answer]) -> Answer:
        """What a question to the brokers brings; raises KafkaException as it does."""
        try:
            return future.result(SECONDS)
        except TimeoutError as error:
            raise BrokerUnavailable(
                self._connection.bootstrap, f"no answer within {SECONDS:g} s"
            ) from error

    def _unless_there(self, name: str, error: KafkaException) -> None:
        cause: KafkaError = error.args[0]
        if cause.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return
        if cause.code() in UNREACHABLE:
            raise BrokerUnavailable(self._connection.bootstrap, cause.str()) from error
        raise TopicRefused(name, cause.str()) from error
