"""The pass-through: copies records from topic to topic with the worker's client settings.

    python -m bench.relay BOOTSTRAP REQUESTS RESPONSES GROUP INSTANCE DELIVERY [MODEL]

DELIVERY is exactly_once or at_least_once. Whole batches are read, produced without a callback
per record, and committed: in one transaction, or when all records are acknowledged. With a model
it is the plain loop: the least that Python can do for a prediction, for valid requests only.
"""

import sys
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from confluent_kafka import Consumer, Message, Producer

from modstream.broker.client.connection import (
    BATCH_FLUSH_CONFIG,
    Connection,
    consumer_config,
    producer_config,
    transactional_config,
)
from modstream.process.signals import stop_signals

MAX_RECORDS = 10_000
CONSUMER_OPTIONS = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": True,
    "auto.commit.interval.ms": 1000,
}
"""Auto-commit has no effect in exactly-once mode: the offsets are not stored in the consumer."""
POLL_TIMEOUT_SECONDS = 0.2
"""Timeout of the poll for the first record of a batch."""

Forward = Callable[[Sequence[Message]], None]
OutputRecords = list[dict[str, bytes | None]]
Transform = Callable[[Sequence[Message]], OutputRecords]
"""Returns the output records of a batch."""


class Tensor(msgspec.Struct):
    """The tensor of a request without feature names."""

    data: list[float]


class Request(msgspec.Struct):
    """The fields of a request that the plain loop reads."""

    id: str
    features: dict[str, float] = {}
    inputs: list[Tensor] = []


class Response(msgspec.Struct):
    """The response of the plain loop."""

    id: str
    outputs: list[float]


def exactly_once(
    connection: Connection, output: str, name: str, source: Consumer, transform: Transform
) -> Forward:
    """Return a function that forwards a batch and commits its offsets in one transaction."""
    producer = Producer(transactional_config(connection, name))
    producer.init_transactions()

    def forward(batch: Sequence[Message]) -> None:
        producer.begin_transaction()
        producer.produce_batch(output, transform(batch))
        metadata = source.consumer_group_metadata()
        producer.send_offsets_to_transaction(source.position(source.assignment()), metadata)
        producer.commit_transaction()

    return forward


def at_least_once(
    connection: Connection, output: str, name: str, source: Consumer, transform: Transform
) -> Forward:
    """Return a function that forwards a batch, and stores its offsets after acknowledgement."""
    producer = Producer({**producer_config(connection, name), **BATCH_FLUSH_CONFIG})

    def forward(batch: Sequence[Message]) -> None:
        producer.produce_batch(output, transform(batch))
        producer.flush()
        source.store_offsets(offsets=source.position(source.assignment()))

    return forward


DELIVERIES = {"exactly_once": exactly_once, "at_least_once": at_least_once}


def copy_records(batch: Sequence[Message]) -> OutputRecords:
    """Return the same keys and values."""
    return [{"value": m.value(), "key": m.key()} for m in batch if m.error() is None]


class OnnxScorer:
    """Scores rows by name in the model's feature order, or [1, k] tensors, with an ONNX model."""

    def __init__(self, model: str) -> None:
        import onnxruntime  # noqa: PLC0415 - the pass-through itself loads no runtime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model, options)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[-1].name
        self._decode = msgspec.json.Decoder(Request).decode
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, batch: Sequence[Message]) -> OutputRecords:
        """Score a batch in one run of the model."""
        messages = [message for message in batch if message.error() is None]
        requests = [self._decode(message.value() or b"") for message in messages]
        rows = [r.inputs[0].data if r.inputs else list(r.features.values()) for r in requests]
        (scores,) = self._session.run([self._output], {self._input: np.array(rows, np.float32)})
        return [
            {"value": self._encode(Response(request.id, outputs)), "key": message.key()}
            for message, request, outputs in zip(messages, requests, scores.tolist(), strict=True)
        ]


def main(
    bootstrap: str, requests: str, responses: str, group: str, instance: str, *options: str
) -> None:
    """Forward records until SIGTERM."""
    delivery, *model = options
    connection, name = Connection(bootstrap), f"{group}-relay-{instance}"
    source = Consumer({**consumer_config(connection, name, group), **CONSUMER_OPTIONS})
    source.subscribe([requests])
    transform = OnnxScorer(*model) if model else copy_records
    forward = DELIVERIES[delivery](connection, responses, name, source, transform)
    with stop_signals() as stop:
        owned: set[int] = set()
        while not stop.is_set():
            batch, before = source.consume(1, POLL_TIMEOUT_SECONDS), owned
            batch += source.consume(MAX_RECORDS - 1, 0.0) if batch else []
            owned = {partition.partition for partition in source.assignment()}
            if owned != before:
                # A rebalance inside consume() may have revoked partitions of records already read.
                batch = [message for message in batch if message.partition() in owned]
            if batch:
                forward(batch)
    source.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
