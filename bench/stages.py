"""The cost of each stage of the request path, in one process and without servers.

    python bench/stages.py [FORMAT ...]

Batches of 10,000 records (1,000 of `ffnn`) pass through the stages of a worker. The last stage is
the client's produce call, into a queue without a broker. It prints microseconds of processor time
per record, the minimum of several rounds, which reduces the influence of other processes.
`handler` is the whole handler, from records to responses.
"""

import json
import random
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import thread_time
from typing import TypeVar, cast

import numpy as np
import pandas as pd
from confluent_kafka import Message, Producer
from rich.console import Console
from rich.table import Table
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from modstream.broker.client.conversions import to_records
from modstream.broker.client.produce import produce_records
from modstream.broker.wire.record_batch import RecordBatch
from modstream.broker.wire.records import Headers
from modstream.broker.wire.topics import Header, Topics
from modstream.models.examples.flights import FLIGHT_SCHEMA, frozen_pipeline
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.registry.refs import CHAMPION
from modstream.models.runtimes.runtime import Runtime, load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.columns import FeatureColumn
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.predict.deadlines import expired
from modstream.processors.predict.deduplication import Deduplicator
from modstream.processors.predict.fast_path import FastBatch, FastPath
from modstream.processors.predict.fast_responses import encode_fast
from modstream.processors.predict.handler import MAX_REQUEST_BYTES, request_handler
from modstream.processors.predict.model_resolver import ModelResolver
from modstream.processors.predict.settings import InferenceSettings
from modstream.producers.records.random_rows import parse_feature_specs, random_row

T = TypeVar("T")

STAGES = (
    *("poll", "headers", "deadlines", "decode", "deduplicate", "assemble", "predict", "encode"),
    *("handler", "produce"),
)
ROUNDS = 7
TOPICS = Topics("bench")
Payload = tuple[bytes, Headers]
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StageFormat:
    """A request format: the schema of its rows, and how a row is written."""

    name: str
    schema: InputSchema
    write: Callable[[str, Row], Payload]
    batch: int = 10_000


def named_row(request_id: str, row: Row) -> Payload:
    """Write one row by name."""
    return compact_json({"id": request_id, "features": row}), ()


def json_tensor(request_id: str, row: Row) -> Payload:
    """Write one row as a [1, k] tensor in JSON."""
    return compact_json(
        {"id": request_id, "inputs": [describe_tensor(row, {"data": list(row.values())})]}
    ), ()


def binary_tensor(request_id: str, row: Row) -> Payload:
    """Write one row as a [1, k] tensor of raw bytes."""
    size = {"parameters": {"binary_data_size": 4 * len(row)}}
    head = compact_json({"id": request_id, "inputs": [describe_tensor(row, size)]})
    header = (Header.JSON_LENGTH.value, str(len(head)).encode())
    return head + struct.pack(f"<{len(row)}f", *row.values()), (header,)


def describe_tensor(row: Row, content: Mapping[str, object]) -> Mapping[str, object]:
    """Return a [1, k] tensor with its data, or with the size of its binary data."""
    return {"name": "x", "shape": [1, len(row)], "datatype": "FP32", **content}


def compact_json(document: object) -> bytes:
    """Return a document as JSON without spaces, as most clients write it."""
    return json.dumps(document, separators=(",", ":")).encode()


EIGHT = InputSchema.of_floats([f"x{n}" for n in range(8)])
PIXELS = InputSchema.of_floats([f"x{n}" for n in range(784)])
FORMATS = (
    StageFormat("row8", EIGHT, named_row),
    StageFormat("oip8", EIGHT, json_tensor),
    StageFormat("bin8", EIGHT, binary_tensor),
    StageFormat("flights", FLIGHT_SCHEMA, named_row),
    StageFormat("ffnn", PIXELS, json_tensor, batch=1000),
)


class SingleModelProvider:
    """A model provider with one model, fitted on random rows of a format's schema."""

    def __init__(self, format_: StageFormat) -> None:
        rows = format_.schema.parse_rows(random_rows(format_, 500)).batch
        labels = np.arange(500) % 2 == 0
        artifact = to_onnx(fit_model(format_, rows, labels), format_.schema, rows.take(range(20)))
        spec = VersionSpec(
            name="m",
            runtime="onnx",
            task="binary",
            classes=(False, True),
            input_schema=format_.schema,
        )
        self.card = spec.make_card(1, Artifact(artifact))
        self.runtime = load(Artifact(artifact), self.card)

    def get(self, _name: str, _ref: int | str = CHAMPION) -> "SingleModelProvider":
        """Return the only model."""
        return self


def random_rows(format_: StageFormat, count: int) -> list[Row]:
    """Return random rows of a format's schema."""
    rng = random.Random(0)
    features = parse_feature_specs([feature.model_dump() for feature in format_.schema.features])
    return [random_row(features, rng) for _ in range(count)]


def fit_model(format_: StageFormat, rows: Batch, labels: FeatureColumn) -> BaseEstimator:
    """Fit the model of a format: a logistic regression, a network, or boosted trees."""
    if format_.schema is FLIGHT_SCHEMA:
        return frozen_pipeline().fit(pd.DataFrame(rows.columns), labels)
    table = np.column_stack(list(rows.columns.values()))
    if format_.schema is PIXELS:
        return MLPClassifier((32,), tol=1e9).fit(table, labels)
    return LogisticRegression().fit(table, labels)


class StageTimer:
    """The minimum processor time of each stage over all rounds."""

    def __init__(self) -> None:
        self.least_us: dict[str, float] = {}

    def __call__(self, stage: str, call: Callable[[], T], count: int) -> T:
        """Run one stage with `count` records, and return its result."""
        started = thread_time()
        result = call()
        spent = (thread_time() - started) / count * 1e6
        self.least_us[stage] = min(spent, self.least_us.get(stage, spent))
        return result


def messages(format_: StageFormat, number: int) -> list[Message]:
    """Return the polled messages of one round; ids and offsets differ between rounds."""
    rows, start = random_rows(format_, format_.batch), number * format_.batch
    payloads = [format_.write(f"req-{start + index:08d}", row) for index, row in enumerate(rows)]
    return [
        Message(
            topic=TOPICS.requests,
            partition=index % 4,
            offset=start + index,
            key=b"key-%d" % (index % 97),
            value=value,
            headers=list(headers) or None,
            timestamp=(1, 0),
        )
        for index, (value, headers) in enumerate(payloads)
    ]


def measure(format_: StageFormat) -> dict[str, float]:
    """Return the microseconds per record of each stage."""
    timed, models, settings = StageTimer(), SingleModelProvider(format_), InferenceSettings(("m",))
    fast_path = FastPath(settings, MAX_REQUEST_BYTES)
    deduplicator = new_deduplicator()
    handle = request_handler(TOPICS, models, settings, deduplicator=new_deduplicator())
    count = format_.batch
    for number in range(ROUNDS):
        records = timed("poll", partial(to_records, messages(format_, number)), count)
        batch = timed("headers", partial(RecordBatch.of, records), count)
        timed("deadlines", partial(expired, batch.headers, 0), count)
        (fast,) = timed("decode", partial(decode, fast_path, batch, ModelResolver(models)), count)
        deduplicator.backfill(batch.first_offsets)
        ids = [head.id for head in fast.heads]
        timed("deduplicate", partial(deduplicator.find_duplicates, records, ids), count)
        rows = timed("assemble", partial(fast.format.batch, fast.values), count)
        outputs = timed("predict", partial(cast(Runtime, models.runtime).predict, rows), count)
        encode = partial(encode_fast, TOPICS.predictions, fast, outputs, batch)
        responses = timed("encode", partial(encode, record_features=True), count).records
        timed("handler", partial(handle, records), count)
        producer = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
        timed("produce", partial(produce_records, producer, responses), count)
        producer.purge()
        producer.flush(0)
    return timed.least_us


def new_deduplicator() -> Deduplicator:
    """Return a deduplicator that never reads Kafka."""
    return Deduplicator(10_000, lambda _: [], lambda _: 1)


def decode(fast_path: FastPath, batch: RecordBatch, resolver: ModelResolver) -> list[FastBatch]:
    """Decode a batch of common requests."""
    return fast_path.decode(fast_path.decode_heads(batch), batch, resolver)


def main(*names: str) -> None:
    """Measure the formats with these names, by default all, and print a table."""
    costs = {one.name: measure(one) for one in FORMATS if one.name in names or not names}
    table = Table(title=f"us of processor time per record, minimum of {ROUNDS} rounds")
    table.add_column("stage")
    for name in costs:
        table.add_column(name, justify="right")
    for stage in STAGES:
        table.add_row(stage, *(f"{stages[stage]:.2f}" for stages in costs.values()))
    Console().print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
