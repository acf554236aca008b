"""The environment of all systems: one Kafka, one Redis, and topics with preloaded requests."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import stamina
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from bench.benchmark_models import BenchmarkModel
from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection, client_config, producer_config
from modstream.broker.client.produce import produce_record
from modstream.broker.errors import BrokerError, DeliveryFailed
from modstream.broker.wire.records import ProducerRecord, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.registry.access import open_registry
from modstream.running_stack import lock_home
from modstream.settings import Settings, load_settings
from modstream.stack.local_stack import run_local_stack

PARTITIONS = 4
ACK_TIMEOUT_SECONDS = 120.0
"""Timeout for the acknowledgement of all preloaded requests."""
GROUP_TIMEOUT_SECONDS = 60.0
"""Timeout for the deletion of a group; its last member may still have to time out."""


@dataclass(frozen=True, slots=True)
class BenchEnvironment:
    """The benchmark's servers, given by settings, and a folder for logs and models."""

    settings: Settings
    folder: Path
    admin: Admin

    def create_topics(self, stream: str, partitions: int = PARTITIONS) -> Topics:
        """Create the missing topics of a stream, and return all of them."""
        topics = self.settings.topics(stream)
        self.admin.create(topics.specs(partitions))
        return topics

    def publish(self, model: BenchmarkModel) -> Path:
        """Publish a model, and write its artifact to a file for systems without a registry.

        Returns:
            The path of the file.
        """
        with open_registry(self.settings) as registry:
            registry.publish(model.spec, model.artifact)
        path = self.folder / f"{model.spec.name}.{model.spec.runtime}"
        path.write_bytes(model.artifact)
        return path

    def preload(self, records: Iterable[ProducerRecord]) -> None:
        """Produce records and wait until all are acknowledged.

        Raises:
            DeliveryFailed: a record was not acknowledged.
        """
        failures: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failures.append(error)

        producer = Producer(producer_config(self.settings.connection, "bench"))
        for number, record in enumerate(records):
            produce_record(producer, record, on_delivery)
            if number % 1000 == 0:
                producer.poll(0)
        if unacknowledged := producer.flush(ACK_TIMEOUT_SECONDS):
            raise DeliveryFailed(
                "requests",
                f"{unacknowledged} records not acknowledged after {ACK_TIMEOUT_SECONDS:g} s",
            )
        if failures:
            raise DeliveryFailed("requests", failures[0].str())

    def end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        """Return the end offset of the committed records in each partition."""
        return self.admin.end_offsets([topic], committed=True)

    def delete_group(self, group: str) -> None:
        """Delete a group and its offsets as soon as its last member has left.

        Raises:
            BrokerError: the group still has members after GROUP_TIMEOUT_SECONDS.
        """
        connection = self.settings.connection
        client = AdminClient(client_config(connection, "bench"))
        for attempt in stamina.retry_context(
            on=BrokerError,
            attempts=None,
            timeout=GROUP_TIMEOUT_SECONDS,
            wait_initial=0.1,
            wait_max=1.0,
        ):
            with attempt:
                try_delete_group(client, group, connection)


@contextmanager
def open_environment(folder: Path) -> Iterator[BenchEnvironment]:
    """Use the servers of the settings, or else start some that stop with the context."""
    settings = load_settings(home=folder, prefix=f"bench-{uuid4().hex[:8]}.")
    with lock_home(settings.home) as lock, run_local_stack(settings, folder, lock) as stack:
        yield BenchEnvironment(stack.settings, folder, Admin(stack.settings.connection))


def environment_without_settings() -> dict[str, str]:
    """Return this process's environment without the settings of modstream."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MODSTREAM_")}


def try_delete_group(client: AdminClient, group: str, connection: Connection) -> None:
    """Delete a group; ignore a missing group, and raise a BrokerError if it has members."""
    try:
        client.delete_consumer_groups([group])[group].result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise connection.translate(error) from error
