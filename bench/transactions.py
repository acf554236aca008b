"""The cost of a small transaction, by the number of producers that are used in turn.

    python bench/transactions.py [TRANSACTIONS [ROUNDS]]

It starts its own Kafka. Each transaction writes four records and one offset and follows the
previous one at once, as in a worker that is never idle. The numbers of producers alternate
between rounds, so that the state of the machine affects all alike. It prints the median and the
99th percentile over all rounds, in milliseconds.
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
from modstream.broker.client.produce import produce_record
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.transactions import open_transactional_producer
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import TopicSpec
from modstream.stack.embedded import EmbeddedKafka, EmbeddedServer

PRODUCER_COUNTS = (1, 2, 3)
STEPS = ("send offsets", "commit", "total")


def run(
    connection: Connection, source: GroupConsumer, producer_count: int, count: int, name: str
) -> list[list[float]]:
    """Run `count` transactions; return the milliseconds of each step, shape (count, 3)."""
    producers = [
        open_transactional_producer(connection, f"{name}.{index}")
        for index in range(producer_count)
    ]
    durations = []
    for number in range(count):
        producer = producers[number % producer_count]
        started = perf_counter()
        producer.begin_transaction()
        for key in range(4):
            produce_record(producer, ProducerRecord("out", b"%d" % key, b"x" * 180))
        produced = perf_counter()
        offsets = [TopicPartition("in", 0, number + 1)]
        producer.send_offsets_to_transaction(offsets, source.group_metadata())
        sent = perf_counter()
        producer.commit_transaction()
        done = perf_counter()
        durations.append([1000 * (sent - produced), 1000 * (done - sent), 1000 * (done - started)])
    return durations


def main(count: int = 200, rounds: int = 5) -> None:
    """Measure all numbers of producers and print a table."""
    durations: dict[int, list[list[float]]] = {size: [] for size in PRODUCER_COUNTS}
    with TemporaryDirectory() as folder, EmbeddedServer(EmbeddedKafka(Path(folder))) as kafka:
        connection = Connection(kafka.url)
        Admin(connection).create([TopicSpec("in", 1), TopicSpec("out", 4)])
        with Publisher(connection) as publisher:
            publisher.send(ProducerRecord("in", None, b"a record to poll"))
        source = GroupConsumer(connection, "bench", ["in"])
        while not source.poll():
            pass
        for number in range(rounds):
            for size in PRODUCER_COUNTS:
                durations[size] += run(connection, source, size, count, f"bench-{number}-{size}")
                source.keep_alive()
        source.close()
    table = Table(title=f"{count} transactions, {rounds} rounds, ms: median (p99)")
    for name in ("producers", *STEPS):
        table.add_column(name, justify="right")
    for size, rows in durations.items():
        columns = list(zip(*rows, strict=True))
        cells = (f"{median(c):.1f} ({quantiles(c, n=100)[98]:.1f})" for c in columns)
        table.add_row(str(size), *cells)
    Console().print(table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
