"""The limit: the same bytes from topic to topic by the same client settings, not looked into.

    python -m bench.relay BOOTSTRAP REQUESTS ANSWERS GROUP SLOT exactly_once|at_least_once [MODEL]

Whole batches are read, produced without a callback a record, and committed: in one transaction,
or once all are acknowledged. With a model it is the plain loop: the least that Python can do for an
answer, written by hand for requests that are all as they should be.
"""

import sys
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from confluent_kafka import Consumer, Message, Producer

from modstream.broker.client.connection import (
    FLUSHED,
    Connection,
    consumer_config,
    producer_config,
    transactional_config,
)
from modstream.process.signals import stop_signals

MOST = 10_000
READING = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": True,
    "auto.commit.interval.ms": 1000,
}
"""Whose offsets lie in a transaction, has none that would be committed besides."""
IDLE = 0.2
"""Seconds to wait for a first record; what is there by then is the batch."""

Forward = Callable[[Sequence[Message]], None]
Produced = list[dict[str, bytes | None]]
Make = Callable[[Sequence[Message]], Produced]
"""What is produced of a batch."""


class Tensor(msgspec.Struct):
    """A request's row, if it has no names."""

    data: list[float]


class Request(msgspec.Struct):
    """As much of a request as is looked at."""

    id: str
    features: dict[str, float] = {}
    inputs: list[Tensor] = []


class Answer(msgspec.Struct):
    """All that is answered."""

    id: str
    outputs: list[float]


def once(connection: Connection, answers: str, name: str, source: Consumer, make: Make) -> Forward:
    """Forward each batch in a transaction that carries its offsets."""
    producer = Producer(transactional_config(connection, name))
    producer.init_transactions()

    def forward(batch: Sequence[Message]) -> None:
        producer.begin_transaction()
        producer.produce_batch(answers, make(batch))
        member = source.consumer_group_metadata()
        producer.send_offsets_to_transaction(source.position(source.assignment()), member)
        producer.commit_transaction()

    return forward


def at_least_once(
    connection: Connection, answers: str, name: str, source: Consumer, make: Make
) -> Forward:
    """Forward each batch; its offsets may be committed when all of it is acknowledged."""
    producer = Producer({**producer_config(connection, name), **FLUSHED})

    def forward(batch: Sequence[Message]) -> None:
        producer.produce_batch(answers, make(batch))
        producer.flush()
        source.store_offsets(offsets=source.position(source.assignment()))

    return forward


DELIVERIES = {"exactly_once": once, "at_least_once": at_least_once}


def copied(batch: Sequence[Message]) -> Produced:
    """The same bytes."""
    return [{"value": m.value(), "key": m.key()} for m in batch if m.error() is None]


class Scored:
    """Answers of an ONNX model to rows by name, in its order, or as [1, k] tensors."""

    def __init__(self, model: str) -> None:
        import onnxruntime  # noqa: PLC0415 - the pass-through itself loads no runtime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model, options)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[-1].name
        self._decode = msgspec.json.Decoder(Request).decode
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, batch: Sequence[Message]) -> Produced:
        """One run of the model for all."""
        messages = [message for message in batch if message.error() is None]
        asked = [self._decode(message.value() or b"") for message in messages]
        rows = [one.inputs[0].data if one.inputs else list(one.features.values()) for one in asked]
        (found,) = self._session.run([self._output], {self._input: np.array(rows, np.float32)})
        return [
            {"value": self._encode(Answer(one.id, outputs)), "key": message.key()}
            for message, one, outputs in zip(messages, asked, found.tolist(), strict=True)
        ]


def main(bootstrap: str, requests: str, answers: str, group: str, slot: str, *how: str) -> None:
    """Forward until SIGTERM."""
    delivery, *model = how
    connection, name = Connection(bootstrap), f"{group}-relay-{slot}"
    source = Consumer({**consumer_config(connection, name, group), **READING})
    source.subscribe([requests])
    make = Scored(*model) if model else copied
    forward = DELIVERIES[delivery](connection, answers, name, source, make)
    with stop_signals() as stop:
        owned: set[int] = set()
        while not stop.is_set():
            batch, before = source.consume(1, IDLE), owned
            batch += source.consume(MOST - 1, 0.0) if batch else []
            owned = {home.partition for home in source.assignment()}
            if owned != before:
                # A rebalance inside consume() may have taken what it had read already.
                batch = [message for message in batch if message.partition() in owned]
            if batch:
                forward(batch)
    source.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
