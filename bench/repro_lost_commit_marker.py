"""Reproduces a lost commit marker on a Kafka cluster of a single node; see docs/adr/0007.

    python bench/repro_lost_commit_marker.py [ROUNDS]

Each round commits one transaction on a new Kafka, kills the node with SIGKILL, restarts it, and
checks whether readers of committed records reach the end of the partition within ten seconds. If
they do not, it commits again with the same transactional id, and checks once more.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.produce import produce_record
from modstream.broker.client.transactions import open_transactional_producer
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import TopicSpec
from modstream.stack.embedded import EmbeddedKafka, EmbeddedServer

TOPIC = "committed"
TIMEOUT_SECONDS = 10.0


def commit(connection: Connection) -> None:
    """Commit a transaction with one record."""
    producer = open_transactional_producer(connection, "writer")
    producer.begin_transaction()
    produce_record(producer, ProducerRecord(TOPIC, None, b"x"))
    producer.commit_transaction()


def is_readable(connection: Connection) -> bool:
    """Return whether the last stable offset reaches the end of the partition within the timeout."""
    admin, deadline = Admin(connection), monotonic() + TIMEOUT_SECONDS
    while admin.end_offsets([TOPIC]) != admin.end_offsets([TOPIC], committed=True):
        if monotonic() > deadline:
            return False
        sleep(0.1)
    return True


def main(rounds: int = 20) -> None:
    """Run the rounds and print those whose readers hang."""
    hung = recovered = 0
    for number in range(1, rounds + 1):
        with TemporaryDirectory() as folder, EmbeddedServer(EmbeddedKafka(Path(folder))) as kafka:
            connection = Connection(kafka.url)
            Admin(connection).create([TopicSpec(TOPIC, 1)])
            commit(connection)
            kafka.kill()
            kafka.start()
            if is_readable(connection):
                continue
            hung += 1
            commit(connection)
            recovered += is_readable(connection)
            print(f"round {number}: readers of committed records hang")  # noqa: T201 - a script
    print(f"{hung} of {rounds} rounds hung; {recovered} of them recovered with the next commit")  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
