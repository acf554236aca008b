"""The ground that all subjects stand on: one Kafka, one Redis, topics with requests laid ready."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import stamina
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from bench.benchmark_models import Exhibit
from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection, client_config, producer_config
from modstream.broker.client.delivery import produce
from modstream.broker.errors import BrokerError, DeliveryFailed
from modstream.broker.wire.records import Outgoing, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.registry.access import open_registry
from modstream.settings import Settings, load_settings
from modstream.stack.local_stack import stage

PARTITIONS = 4
PATIENCE = 120.0
"""Seconds in which all requests must be acknowledged."""
LEFT = 60.0
"""Seconds in which a group forgets a member that did not say goodbye."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers of the benchmark's own, by their settings, and a folder for logs and models."""

    settings: Settings
    folder: Path
    admin: Admin

    def create(self, stream: str, partitions: int = PARTITIONS) -> Topics:
        """A stream's topics, created if they are missing."""
        topics = self.settings.topics(stream)
        self.admin.create(topics.specs(partitions))
        return topics

    def publish(self, exhibit: Exhibit) -> Path:
        """Publish a model and lay its artifact in a file for those who read no registry."""
        with open_registry(self.settings) as registry:
            registry.publish(exhibit.draft, exhibit.artifact)
        path = self.folder / f"{exhibit.draft.name}.{exhibit.draft.runtime}"
        path.write_bytes(exhibit.artifact)
        return path

    def lay(self, records: Iterable[Outgoing]) -> None:
        """Produce records and wait until all are acknowledged.

        Raises:
            DeliveryFailed: one was not.
        """
        failures: list[KafkaError] = []

        def reported(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failures.append(error)

        producer = Producer(producer_config(self.settings.connection, "bench"))
        for number, record in enumerate(records):
            produce(producer, record, reported)
            if number % 1000 == 0:
                producer.poll(0)
        if waiting := producer.flush(PATIENCE):
            raise DeliveryFailed("requests", f"{waiting} records after {PATIENCE:g} s")
        if failures:
            raise DeliveryFailed("requests", failures[0].str())

    def ends(self, topic: str) -> dict[TopicPartition, int]:
        """Where committed records end in each partition."""
        return self.admin.ends([topic], committed=True)

    def forget(self, group: str) -> None:
        """Remove a group and its offsets, as soon as its last member has left.

        Raises:
            BrokerError: it has not.
        """
        connection = self.settings.connection
        client = AdminClient(client_config(connection, "bench"))
        for attempt in stamina.retry_context(
            on=BrokerError, attempts=None, timeout=LEFT, wait_initial=0.1, wait_max=1.0
        ):
            with attempt:
                delete_group(client, group, connection)


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """The servers that the settings name, else some of our own that end with the context."""
    given = load_settings(home=folder, prefix=f"bench-{uuid4().hex[:8]}.")
    with stage(given, folder) as stood:
        yield Ground(stood.settings, folder, Admin(stood.settings.connection))


def without_settings() -> dict[str, str]:
    """This process's environment, as a program that is not modstream gets it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MODSTREAM_")}


def delete_group(client: AdminClient, group: str, connection: Connection) -> None:
    """Remove a group; one that is not there is no error, one that has members is."""
    try:
        client.delete_consumer_groups([group])[group].result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise connection.translated(error) from error
