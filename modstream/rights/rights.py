"""The rights of each role: the least that it needs of Kafka and of Redis.

Kafka's READ and WRITE of a topic include DESCRIBE
(https://kafka.apache.org/documentation/#operations_in_kafka).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from modstream.broker.wire.topics import Topics
from modstream.settings import Settings

Kind = Literal["topic", "group", "transactional-id"]
Operation = Literal["Read", "Write", "Describe", "DescribeConfigs", "Create", "Delete"]
"""Kafka's names of operations."""


class Role(StrEnum):
    """Who connects to the servers."""

    WORKER = "worker"
    JOINER = "joiner"
    LEARNER = "learner"
    RETRAINER = "retrainer"
    CALIBRATOR = "calibrator"
    AGGREGATOR = "aggregator"
    MATERIALIZER = "materializer"
    GATEWAY = "gateway"
    DASHBOARD = "dashboard"
    CLIENT = "client"
    """A service that sends requests and reads the answers."""
    LABELLER = "labeller"
    """A service that sends labels."""
    PUBLISHER = "publisher"
    """A person or a program that publishes, promotes and rolls back models."""
    OPERATOR = "operator"
    """A person who creates topics, redrives dead letters and looks at everything."""


@dataclass(frozen=True, slots=True)
class KafkaRight:
    """What may be done with a resource of Kafka, or with all whose names begin with `name`.

    A role does its work without an optional right, but for a part that it reports as missing.
    """

    kind: Kind
    name: str
    operations: tuple[Operation, ...]
    is_prefix: bool = False
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class RedisRights:
    """What may be done with the keys of an installation in Redis, all of which begin with `prefix`.

    They can be read; `may_write` says whether they can be written, too.
    """

    prefix: str
    may_write: bool


@dataclass(frozen=True, slots=True)
class Rights:
    """All rights of a role; `redis` is None if it does not use Redis."""

    kafka: tuple[KafkaRight, ...]
    redis: RedisRights | None


def rights_of(role: Role, settings: Settings) -> Rights:
    """Return the rights of a role on the settings' stream."""
    reader = KafkaRight("group", settings.reader_group, ("Describe",))
    kafka = (*KAFKA[role](settings), reader)
    may_write = REDIS[role]
    prefix = f"{settings.prefix}modstream:"
    return Rights(kafka, None if may_write is None else RedisRights(prefix, may_write))


def _topics(operation: Operation, names: Iterable[str]) -> Iterator[KafkaRight]:
    return (KafkaRight("topic", name, (operation,)) for name in names)


def _reads(*names: str) -> Iterator[KafkaRight]:
    return _topics("Read", names)


def _writes(*names: str) -> Iterator[KafkaRight]:
    return _topics("Write", names)


def _measured_writes(*names: str) -> Iterator[KafkaRight]:
    """Return the rights to write topics and to know how large their records may be."""
    return (KafkaRight("topic", name, ("Write", "DescribeConfigs")) for name in names)


def _member(name: str) -> KafkaRight:
    """Return the right to be a member of a consumer group."""
    return KafkaRight("group", name, ("Read",))


def _transactions(prefix: str) -> KafkaRight:
    return KafkaRight("transactional-id", prefix, ("Write",), is_prefix=True)


def _worker(settings: Settings) -> Iterator[KafkaRight]:
    topics = settings.topics()
    yield from _reads(topics.requests, topics.features)
    yield from _measured_writes(topics.predictions, topics.version_markers)
    # A request that says that it was redriven is compared with its dead letter.
    yield KafkaRight("topic", topics.dlq, ("Read", "Write", "DescribeConfigs"))
    if settings.inference_log.enabled:
        yield from _measured_writes(topics.inferences)
    yield _member(topics.group("worker"))
    yield _transactions(f"{topics.group('worker')}-")


def _changelog(topics: Topics) -> str:
    return f"{topics.group('joiner')}-entries-changelog"


def _joiner(settings: Settings) -> Iterator[KafkaRight]:
    topics = settings.topics()
    yield from _reads(topics.predictions)
    yield from _reads(topics.labels)
    # Labels that were sent to another partition than their prediction are forwarded to it.
    yield KafkaRight("topic", topics.labels, ("Write", "DescribeConfigs"), is_optional=True)
    yield from _measured_writes(topics.feedback, topics.unjoined, topics.metrics, topics.dlq)
    yield KafkaRight("topic", _changelog(topics), ("Read", "Write", "Create"))
    yield _member(topics.group("joiner"))
    yield _transactions(topics.group("joiner"))


def _learner(settings: Settings) -> Iterator[KafkaRight]:
    topics = settings.topics()
    yield from _reads(topics.feedback)
    yield from _writes(topics.metrics, topics.model_events)
    # Feedback that says that it was released is compared with the quarantined row.
    yield KafkaRight("topic", topics.quarantine, ("Read", "Write"))
    yield _member(topics.group("learner"))


def _retrainer(settings: Settings) -> Iterator[KafkaRight]:
    topics = settings.topics()
    yield from _reads(topics.feedback, topics.metrics)
    yield KafkaRight("topic", topics.model_events, ("Read", "Write"))
    yield KafkaRight("group", topics.group("retrainer-"), ("Read",), is_prefix=True)


def _calibrator(settings: Settings) -> Iterator[KafkaRight]:
    topics = settings.topics()
    yield from _reads(topics.feedback)
    yield from _writes(topics.metrics)
    yield _member(topics.group("calibrator"))


def _aggregator(settings: Settings) -> Iterator[KafkaRight]:
    topics = settings.topics()
    yield from _reads(topics.predictions, topics.feedback)
    yield KafkaRight("topic", topics.features, ("Read", "Write"))
    yield _member(topics.group("aggregator"))
    yield _transactions(f"{topics.group('aggregator')}-")


def _materializer(settings: Settings) -> Iterator[KafkaRight]:
    yield from _reads(settings.topics().predictions)


def _gateway(settings: Settings) -> Iterator[KafkaRight]:
    topics = settings.topics()
    yield from _writes(topics.requests, topics.labels)
    yield from _reads(topics.predictions, topics.dlq)
    yield KafkaRight("group", topics.group("worker"), ("Describe",))


def _dashboard(settings: Settings) -> Iterator[KafkaRight]:
    topics = settings.topics()
    yield from _reads(*(spec.name for spec in topics.specs(1)))
    yield KafkaRight("group", topics.group(""), ("Describe",), is_prefix=True)


def _client(settings: Settings) -> Iterator[KafkaRight]:
    topics = settings.topics()
    yield from _writes(topics.requests)
    yield from _reads(topics.predictions)


def _labeller(settings: Settings) -> Iterator[KafkaRight]:
    yield from _writes(settings.topics().labels)


def _publisher(settings: Settings) -> Iterator[KafkaRight]:
    yield from _writes(settings.topics().model_events)


def _operator(settings: Settings) -> Iterator[KafkaRight]:
    topics = settings.topics()
    operations: tuple[Operation, ...] = ("Read", "Write", "Describe", "Create", "Delete")
    yield KafkaRight("topic", topics.group(""), operations, is_prefix=True)
    yield KafkaRight("topic", topics.model_events, operations)
    yield KafkaRight("group", topics.group(""), ("Read", "Describe"), is_prefix=True)
    yield _transactions(topics.group(""))


KAFKA: Mapping[Role, Callable[[Settings], Iterator[KafkaRight]]] = {
    Role.WORKER: _worker,
    Role.JOINER: _joiner,
    Role.LEARNER: _learner,
    Role.RETRAINER: _retrainer,
    Role.CALIBRATOR: _calibrator,
    Role.AGGREGATOR: _aggregator,
    Role.MATERIALIZER: _materializer,
    Role.GATEWAY: _gateway,
    Role.DASHBOARD: _dashboard,
    Role.CLIENT: _client,
    Role.LABELLER: _labeller,
    Role.PUBLISHER: _publisher,
    Role.OPERATOR: _operator,
}
REDIS: Mapping[Role, bool | None] = {
    Role.WORKER: False,
    Role.JOINER: None,
    Role.LEARNER: True,
    Role.RETRAINER: True,
    Role.CALIBRATOR: True,
    Role.AGGREGATOR: False,
    Role.MATERIALIZER: True,
    Role.GATEWAY: True,
    Role.DASHBOARD: False,
    Role.CLIENT: None,
    Role.LABELLER: None,
    Role.PUBLISHER: True,
    Role.OPERATOR: True,
}
"""Whether a role writes to Redis; None if it does not use it."""
