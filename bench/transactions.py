"""What a small transaction costs, by how many transactional producers take turns.

python bench/transactions.py [TRANSACTIONS [ROUNDS]]

Starts a Kafka of its own. Each transaction writes four records and one offset, hard on the heels
of the one before, as a worker's do while it is never idle. The numbers of producers alternate, so
that each sees the same machine; printed are milliseconds, the median over all rounds and the 99th
percentile.
"""

import sys
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

from confluent_kafka import TopicPartition
from rich.console import Console
from rich.table import Table

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.delivery import produce
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.transactions import ready
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import TopicSpec
from modstream.stack.embedded import EmbeddedKafka, Server

TURNS = (1, 2, 3)
STEPS = ("send offsets", "commit", "whole")


def run(
    connection: Connection, source: GroupConsumer, turns: int, count: int, name: str
) -> list[list[float]]:
    """Milliseconds of each step of `count` transactions, (count, 3)."""
    producers = [ready(connection, f"{name}.{turn}") for turn in range(turns)]
    found = []
    for number in range(count):
        producer = producers[number % turns]
        began = perf_counter()
        producer.begin_transaction()
        for key in range(4):
            produce(producer, Outgoing("out", b"%d" % key, b"x" * 180))
        produced = perf_counter()
        offsets = [TopicPartition("in", 0, number + 1)]
        producer.send_offsets_to_transaction(offsets, source.group_metadata())
        sent = perf_counter()
        producer.commit_transaction()
        done = perf_counter()
        found.append([1000 * (sent - produced), 1000 * (done - sent), 1000 * (done - began)])
    return found


def main(count: int = 200, rounds: int = 5) -> None:
    """Measure and print."""
    found: dict[int, list[list[float]]] = {turns: [] for turns in TURNS}
    with TemporaryDirectory() as folder, Server(EmbeddedKafka(Path(folder))) as kafka:
        connection = Connection(kafka.url)
        Admin(connection).create([TopicSpec("in", 1), TopicSpec("out", 4)])
        with Publisher(connection) as publisher:
            publisher.send(Outgoing("in", None, b"so that there is something to poll"))
        source = GroupConsumer(connection, "bench", ["in"])
        while not source.poll():
            pass
        for number in range(rounds):
            for turns in TURNS:
                found[turns] += run(connection, source, turns, count, f"bench-{number}-{turns}")
                source.keep_alive()
        source.close()
    table = Table(title=f"{count} transactions, {rounds} rounds, ms: median (p99)")
    for name in ("producers", *STEPS):
        table.add_column(name, justify="right")
    for turns, rows in found.items():
        columns = list(zip(*rows, strict=True))
        cells = (f"{median(c):.1f} ({quantiles(c, n=100)[98]:.1f})" for c in columns)
        table.add_row(str(turns), *cells)
    Console().print(table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
