"""A commit whose marker a node alone may never write: the smallest reproduction of docs/adr/0007.

    python bench/repro_lost_commit_marker.py [ROUNDS]

Each round commits one transaction on a Kafka of its own, kills the node with signal 9, starts it
again, and looks whether readers of committed records come to the end of the partition within ten
seconds. Where they do not, the same transactional id commits once more, and it looks again.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.delivery import produce
from modstream.broker.client.transactions import ready
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import TopicSpec
from modstream.stack.embedded import EmbeddedKafka, Server

TOPIC = "committed"
SECONDS = 10.0


def commit(connection: Connection) -> None:
    """One record in one transaction."""
    producer = ready(connection, "writer")
    producer.begin_transaction()
    produce(producer, Outgoing(TOPIC, None, b"x"))
    producer.commit_transaction()


def is_readable(connection: Connection) -> bool:
    """Whether the last stable offset reaches the end of the partition in time."""
    admin, deadline = Admin(connection), monotonic() + SECONDS
    while admin.ends([TOPIC]) != admin.ends([TOPIC], committed=True):
        if monotonic() > deadline:
            return False
        sleep(0.1)
    return True


def main(rounds: int = 20) -> None:
    """Run the rounds and tell of each that hung."""
    hung = healed = 0
    for number in range(1, rounds + 1):
        with TemporaryDirectory() as folder, Server(EmbeddedKafka(Path(folder))) as kafka:
            connection = Connection(kafka.url)
            Admin(connection).create([TopicSpec(TOPIC, 1)])
            commit(connection)
            kafka.kill()
            kafka.start()
            if is_readable(connection):
                continue
            hung += 1
            commit(connection)
            healed += is_readable(connection)
            print(f"round {number}: readers of committed records hang")  # noqa: T201 - a script
    print(f"{hung} of {rounds} rounds hung, {healed} of them until the next commit")  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
