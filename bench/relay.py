"""The limit: the same bytes from topic to topic by the same client settings, not looked into.

    python -m bench.relay BOOTSTRAP REQUESTS ANSWERS GROUP SLOT exactly_once|at_least_once

Whole batches are read, produced without a callback a record, and committed: in one transaction,
or once all are acknowledged.
"""

import sys
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, Message, Producer

from broker.connection import (
    Connection,
    consumer_config,
    producer_config,
    transactional_config,
)
from modstream.stopping import stop_signals

MOST = 10_000
LINGER = 0.02
"""Seconds in which a batch is filled."""

Forward = Callable[[Sequence[Message]], None]


def once(connection: Connection, answers: str, name: str, source: Consumer) -> Forward:
    """Forward each batch in a transaction that carries its offsets."""
    producer = Producer(transactional_config(connection, name))
    producer.init_transactions()

    def forward(batch: Sequence[Message]) -> None:
        producer.begin_transaction()
        producer.produce_batch(answers, copied(batch))
        member = source.consumer_group_metadata()
        producer.send_offsets_to_transaction(source.position(source.assignment()), member)
        producer.commit_transaction()

    return forward


def at_least_once(connection: Connection, answers: str, name: str, source: Consumer) -> Forward:
    """Forward each batch, and commit its offsets when all of it is acknowledged."""
    producer = Producer(producer_config(connection, name))

    def forward(batch: Sequence[Message]) -> None:
        producer.produce_batch(answers, copied(batch))
        producer.flush()
        source.commit(offsets=source.position(source.assignment()), asynchronous=True)

    return forward


DELIVERIES = {"exactly_once": once, "at_least_once": at_least_once}


def copied(batch: Sequence[Message]) -> list[dict[str, bytes | None]]:
    """What is produced of a batch."""
    return [{"value": m.value(), "key": m.key()} for m in batch if m.error() is None]


def main(bootstrap: str, requests: str, answers: str, group: str, slot: str, delivery: str) -> None:
    """Forward until SIGTERM."""
    connection, name = Connection(bootstrap), f"{group}-relay-{slot}"
    source = Consumer({**consumer_config(connection, name, group), "auto.offset.reset": "earliest"})
    source.subscribe([requests])
    forward = DELIVERIES[delivery](connection, answers, name, source)
    with stop_signals() as stop:
        owned: set[int] = set()
        while not stop.is_set():
            batch, before = source.consume(MOST, LINGER), owned
            owned = {home.partition for home in source.assignment()}
            if owned != before:
                # A rebalance inside consume() may have taken what it had read already.
                batch = [message for message in batch if message.partition() in owned]
            if batch:
                forward(batch)
    source.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
