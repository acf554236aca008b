"""How we reach Kafka, and every client setting we pin, with its reason."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from confluent_kafka import KafkaError, KafkaException

from modstream.broker.errors import BrokerError, BrokerUnavailable
from modstream.broker.wire.topics import LARGEST_RECORD

Config = dict[str, str | int | float | bool]

# Nobody answers, or whoever should is just taking over.
UNREACHABLE = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        # A bootstrap address turns out to be a broker that is known by its id already.
        KafkaError._DESTROY_BROKER,
        # A partition that has no leader yet, when offsets are asked for.
        KafkaError._NOENT,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
    }
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster: its bootstrap servers and any further librdkafka settings (SASL, TLS)."""

    bootstrap: str
    options: Mapping[str, str] = field(default_factory=dict)

    def translated(self, error: KafkaException) -> BrokerError:
        """The room's own error for a failure of the client."""
        cause: KafkaError = error.args[0]
        if cause.code() in UNREACHABLE:
            return BrokerUnavailable(self.bootstrap, cause.str())
        return BrokerError(f"Kafka client: {cause.name()}: {cause.str()}")


def client_config(connection: Connection, client_id: str) -> Config:
    """What every client shares."""
    return {
        "bootstrap.servers": connection.bootstrap,
        "client.id": client_id,
        # Reconnect fast: on a restarted broker the default back-off of up to 10 s is our outage.
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        # The client would forget all brokers when none answers, and with them the one that
        # send_offsets_to_transaction waits for: after a network cut of 10 s that call never came
        # back (compare https://github.com/confluentinc/librdkafka/issues/5456).
        "metadata.recovery.strategy": "none",
        # A connection that only we think is open shows by requests that nobody answers, and a new
        # one by its handshake. After a fault of 10 s workers were back 52 s after its end with the
        # default of 60 s, 8 to 17 s with 10 s, and 7 to 10 s with 5 s, on an overloaded machine. A
        # handshake that began in the fault must end before another can: it has 3 s.
        "socket.timeout.ms": 5_000,
        "socket.connection.setup.timeout.ms": 3_000,
        "api.version.request.timeout.ms": 3_000,
        # Topics are created explicitly; a mistyped name must fail, not spring into being.
        "allow.auto.create.topics": False,
        "logger": logging.getLogger("librdkafka"),  # type: ignore[dict-item]
        **connection.options,
    }


def consumer_config(connection: Connection, client_id: str, group: str) -> Config:
    """A member of a consumer group whose offsets are committed by the delivery."""
    return {
        **client_config(connection, client_id),
        "group.id": group,
        # The delivery commits, with or after what it produced.
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # With `latest`, the default, requests sent before the first start would be lost; with
        # `earliest` a whole partition may be read again: see broker/client/offset_resolver.py,
        # which decides.
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        # A rebalance takes only the partitions that move, the others are served on.
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        "max.poll.interval.ms": 120_000,
        # Long polls end early enough that an idle worker sees its first record at once.
        "fetch.wait.max.ms": 100,
        "fetch.message.max.bytes": LARGEST_RECORD,
        # Memory is bounded by the queue; the next fetch follows in 20 ms, not in the default 1 s.
        "queued.min.messages": 20_000,
        "queued.max.messages.kbytes": 65_536,
        "fetch.queue.backoff.ms": 20,
        # Last, so that an installation can fit the timeouts to its network.
        **connection.options,
    }


def reader_config(connection: Connection, client_id: str, *, committed: bool) -> Config:
    """A reader of whole partitions, without a group; it is told where they end."""
    return {
        **client_config(connection, client_id),
        # librdkafka wants a group id even where none is joined and nothing is committed.
        "group.id": f"{client_id}-reader",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed" if committed else "read_uncommitted",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
        "fetch.message.max.bytes": LARGEST_RECORD,
        "queued.max.messages.kbytes": 65_536,
        "fetch.queue.backoff.ms": 20,
    }


FLUSHED: Mapping[str, int] = MappingProxyType({"linger.ms": 50})
"""For who flushes behind each batch: full requests go out at once, the rest when it flushes."""


def producer_config(connection: Connection, client_id: str) -> Config:
    """An idempotent producer."""
    return {
        **client_config(connection, client_id),
        "enable.idempotence": True,
        "acks": "all",
        # Java's and aiokafka's partitioner: librdkafka's default is CRC32 and breaks every join.
        "partitioner": "murmur2_random",
        "message.max.bytes": LARGEST_RECORD,
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 262_144,
        "linger.ms": 2,
        "compression.type": "lz4",
        # AddOffsets is retried with this: the default 100 ms slows back-to-back transactions.
        "retry.backoff.ms": 10,
    }


def transactional_config(connection: Connection, transactional_id: str) -> Config:
    """A transactional producer. After a kill -9 readers stall for `transaction.timeout.ms`."""
    return {
        **producer_config(connection, transactional_id),
        "transactional.id": transactional_id,
        "transaction.timeout.ms": 15_000,
        # A broken connection is reported only in the log; transactions.py reads it there.
        "log.connection.close": True,
        "log_level": 7,
        # A batch that nobody acknowledges is aborted before its transaction's timeout fences us.
        "message.timeout.ms": 8_000,
        **FLUSHED,
    }
