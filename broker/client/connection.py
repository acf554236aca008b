"""The connection to Kafka, and the client settings that we pin, each with its reason.

This module imports no Kafka client: a function without Kafka reads the settings, too.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from modstream.broker.errors import BrokerError, BrokerUnavailable, RightMissing
from modstream.broker.wire.topics import MAX_RECORD_BYTES

ClientConfig = dict[str, str | int | float | bool]
Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]
"""How written records are compressed. Every Kafka client reads `none` and `gzip`; some need an
additional package for the others."""
GZIP_LEVEL = 1
"""The client's own level, 6, takes 2.6 times as long and saves another eighth."""

READER_GROUP = "modstream"
"""Group id of clients that join no group and commit nothing, as librdkafka wants one of all."""
MAX_BATCH_BYTES = 1_000_000
"""Maximum size of a batch of several records, in bytes: the client's own default."""

# No broker responds, or a new leader or coordinator is just taking over.
UNAVAILABLE_ERRORS = frozenset(
    {
        "_TRANSPORT",
        "_ALL_BROKERS_DOWN",
        "_TIMED_OUT",
        "_RESOLVE",
        # A bootstrap address belongs to a broker that is already known by its id.
        "_DESTROY_BROKER",
        # Offsets were requested of a partition that has no leader yet.
        "_NOENT",
        "NOT_LEADER_FOR_PARTITION",
        "LEADER_NOT_AVAILABLE",
        "OFFSET_NOT_AVAILABLE",
        "UNKNOWN_LEADER_EPOCH",
        "FENCED_LEADER_EPOCH",
        "COORDINATOR_NOT_AVAILABLE",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "NOT_COORDINATOR",
    }
)
"""Names of the client's errors."""


REFUSED_RIGHTS: Mapping[str, str] = MappingProxyType(
    {
        "TOPIC_AUTHORIZATION_FAILED": "a topic",
        "GROUP_AUTHORIZATION_FAILED": "a consumer group",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": "a transactional id",
        "CLUSTER_AUTHORIZATION_FAILED": "the cluster",
    }
)
"""Names of the client's errors for a missing right, and the kind of resource that it is for."""

FETCH_BOUNDS: Mapping[str, int | bool] = MappingProxyType(
    {
        # Compressed bytes per partition and in total. A larger batch is returned nevertheless, but
        # alone. Compressed a thousandfold, as zeros are, one fetch would else fill the memory.
        "fetch.message.max.bytes": 512 * 1024,
        "fetch.max.bytes": MAX_RECORD_BYTES,
        # Bounds a response, and also what a zstd batch may decompress to.
        "receive.message.max.bytes": 4 * MAX_RECORD_BYTES,
        # Decompressed bytes. When the queue was full, the next fetch follows in 20 ms, not 1 s.
        "queued.max.messages.kbytes": 65_536,
        "fetch.queue.backoff.ms": 20,
        # A damaged batch must not be read as other values; offset_skipper.py steps over it.
        "check.crcs": True,
    }
)
"""Settings that bound the memory of fetched records, and check them."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster: its bootstrap servers and any further librdkafka settings (SASL, TLS).

    `compression` is that of the records that are written. Options may be secrets, so they are left
    out of the `repr`. `reader_group` is the group id of clients that join no group.
    """

    bootstrap: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    compression: Compression = "none"
    reader_group: str = READER_GROUP

    def translate(self, error: Exception) -> BrokerError:
        """Return the broker error for an error of the client, a `KafkaException`."""
        cause = error.args[0]
        if cause.name() in UNAVAILABLE_ERRORS:
            return BrokerUnavailable(self.bootstrap, cause.str())
        if cause.name() in REFUSED_RIGHTS:
            return RightMissing(f"to use {REFUSED_RIGHTS[cause.name()]} ({cause.str()})")
        return BrokerError(f"Kafka client: {cause.name()}: {cause.str()}")


def client_config(connection: Connection, client_id: str) -> ClientConfig:
    """Return the settings that all clients share."""
    return {
        "bootstrap.servers": connection.bootstrap,
        "client.id": client_id,
        # Reconnect fast: after a broker restart, the default back-off adds up to 10 s of outage.
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        # By default the client forgets all brokers when none responds, including the one that
        # send_offsets_to_transaction waits for. After a network cut of 10 s, that call never
        # returned (compare https://github.com/confluentinc/librdkafka/issues/5456).
        "metadata.recovery.strategy": "none",
        # A half-open connection is detected by requests without a response, or at its handshake.
        # On an overloaded machine, workers recovered 52 s after a fault of 10 s with the default of
        # 60 s, after 8 to 17 s with 10 s, and after 7 to 10 s with 5 s. A handshake that began
        # during the fault delays the next one, so its timeout is only 3 s.
        "socket.timeout.ms": 5_000,
        "socket.connection.setup.timeout.ms": 3_000,
        "api.version.request.timeout.ms": 3_000,
        # Topics are created explicitly; a mistyped name must fail instead of creating a topic.
        "allow.auto.create.topics": False,
        "logger": logging.getLogger("librdkafka"),  # type: ignore[dict-item]
        **connection.options,
    }


def consumer_config(connection: Connection, client_id: str, group: str) -> ClientConfig:
    """Return the settings of a group member whose offsets are committed by the delivery."""
    return {
        **client_config(connection, client_id),
        "group.id": group,
        # The delivery commits the offsets, with or after its records.
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # With `latest`, the default, requests sent before the first start would be lost. With
        # `earliest`, a whole partition may be read again. offset_resolver.py decides instead.
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        # A rebalance revokes only the partitions that move; the others stay in service.
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        "max.poll.interval.ms": 120_000,
        # A short fetch wait gives an idle worker its first record at once.
        "fetch.wait.max.ms": 100,
        **FETCH_BOUNDS,
        "queued.min.messages": 20_000,
        # Last, so that an installation can adapt the timeouts to its network.
        **connection.options,
    }


def reader_config(connection: Connection, client_id: str, *, committed: bool) -> ClientConfig:
    """Return the settings of a reader of whole partitions, with end-of-partition events."""
    return {
        **client_config(connection, client_id),
        "group.id": connection.reader_group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed" if committed else "read_uncommitted",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
        **FETCH_BOUNDS,
    }


BATCH_FLUSH_CONFIG: Mapping[str, int] = MappingProxyType({"linger.ms": 50})
"""Settings for producers that flush after every batch: full requests are sent immediately, the
remainder on flush."""


def producer_config(
    connection: Connection, client_id: str, max_batch_bytes: int = MAX_BATCH_BYTES
) -> ClientConfig:
    """Return the settings of an idempotent producer."""
    return {
        **client_config(connection, client_id),
        "enable.idempotence": True,
        "acks": "all",
        # The partitioner of Java and aiokafka. Labels are forwarded to the partition that it names.
        "partitioner": "murmur2_random",
        "message.max.bytes": MAX_RECORD_BYTES,
        "batch.size": max(1, min(max_batch_bytes, MAX_BATCH_BYTES)),
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 262_144,
        "linger.ms": 2,
        "compression.type": connection.compression,
        **({"compression.level": GZIP_LEVEL} if connection.compression == "gzip" else {}),
        # AddOffsets is retried at this interval; the default, 100 ms, slows down transactions.
        "retry.backoff.ms": 10,
    }


def transactional_config(
    connection: Connection, transactional_id: str, max_batch_bytes: int = MAX_BATCH_BYTES
) -> ClientConfig:
    """Return the settings of a transactional producer.

    A topic refuses batches above its maximum record size, so `max_batch_bytes` must not exceed it.
    If its process is killed, readers stall for `transaction.timeout.ms`.
    """
    return {
        **producer_config(connection, transactional_id, max_batch_bytes),
        "transactional.id": transactional_id,
        "transaction.timeout.ms": 15_000,
        # A broken connection is reported only in the log, which transactions.py reads.
        "log.connection.close": True,
        "log_level": 7,
        # A batch without acknowledgement is aborted before the transaction's timeout fences us.
        "message.timeout.ms": 8_000,
        **BATCH_FLUSH_CONFIG,
    }
