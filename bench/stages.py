"""What each stage of the request path costs a record, in process and without servers.

python bench/stages.py [FORM ...]

Batches of 10,000 records (1,000 of `ffnn`) go through the stages that a worker takes them through;
the last stage is the client's produce call into a queue that leads nowhere. Printed are
microseconds of processor time a record, the least of several rounds, so that what others do on the
machine weighs little; `whole` is the handler itself, from records to answers.
"""

import json
import random
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import thread_time
from typing import TypeVar

import numpy as np
import pandas as pd
from confluent_kafka import Message, Producer
from rich.console import Console
from rich.table import Table
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from modstream.broker.client.conversions import read_all
from modstream.broker.client.delivery import produce_all
from modstream.broker.wire.record_batch import Polled
from modstream.broker.wire.records import Headers
from modstream.broker.wire.topics import Header, Topics
from modstream.models.examples.flights import FLIGHT_FEATURES, frozen_pipeline
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.runtimes.runtime import load
from modstream.models.schema.columns import Column
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.processors.predict.deadlines import all_overdue
from modstream.processors.predict.deduplication import Repeats
from modstream.processors.predict.fast_path import Express
from modstream.processors.predict.handler import Predict
from modstream.processors.predict.model_resolver import Hand, PredictSettings
from modstream.producers.records.random_rows import random_row, specs

T = TypeVar("T")

STAGES = (
    *("poll", "look", "deadline", "decode", "repeats", "assemble", "predict", "encode"),
    *("whole", "produce"),
)
ROUNDS = 7
TOPICS = Topics("bench")
Payload = tuple[bytes, Headers]
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of request: how one is made of a row, and of which schema."""

    name: str
    schema: InputSchema
    write: Callable[[str, Row], Payload]
    batch: int = 10_000


def named(request_id: str, row: Row) -> Payload:
    """One row by name."""
    return compact({"id": request_id, "features": row}), ()


def matrix(request_id: str, row: Row) -> Payload:
    """One row as a [1, k] tensor in JSON."""
    return compact({"id": request_id, "inputs": [tensor(row, {"data": list(row.values())})]}), ()


def binary(request_id: str, row: Row) -> Payload:
    """One row as a [1, k] tensor of raw bytes."""
    size = {"parameters": {"binary_data_size": 4 * len(row)}}
    head = compact({"id": request_id, "inputs": [tensor(row, size)]})
    header = (Header.JSON_LENGTH.value, str(len(head)).encode())
    return head + struct.pack(f"<{len(row)}f", *row.values()), (header,)


def tensor(row: Row, content: Mapping[str, object]) -> Mapping[str, object]:
    """A [1, k] tensor with its data, or with where they are."""
    return {"name": "x", "shape": [1, len(row)], "datatype": "FP32", **content}


def compact(document: object) -> bytes:
    """A document without blanks, as most clients write it."""
    return json.dumps(document, separators=(",", ":")).encode()


EIGHT = InputSchema.floats([f"x{n}" for n in range(8)])
PIXELS = InputSchema.floats([f"x{n}" for n in range(784)])
FORMS = (
    Form("row8", EIGHT, named),
    Form("oip8", EIGHT, matrix),
    Form("bin8", EIGHT, binary),
    Form("flights", FLIGHT_FEATURES, named),
    Form("ffnn", PIXELS, matrix, batch=1000),
)


class Rack:
    """A shelf with one model on it, fitted on noise of a form's schema."""

    def __init__(self, form: Form) -> None:
        rows = form.schema.batch(drawn(form, 500)).batch
        labels = np.arange(500) % 2 == 0
        artifact = to_onnx(fitted(form, rows, labels), form.schema, rows.take(range(20)))
        draft = Draft(
            name="m",
            runtime="onnx",
            task="binary",
            classes=(False, True),
            input_schema=form.schema,
        )
        self.card = draft.card(1, artifact)
        self.runtime = load(artifact, self.card)

    def get(self, _name: str, _ref: int | str = "champion") -> "Rack":
        """The only model."""
        return self


def drawn(form: Form, count: int) -> list[Row]:
    """Random rows of a form's schema."""
    rng, features = random.Random(0), specs([f.model_dump() for f in form.schema.features])
    return [random_row(features, rng) for _ in range(count)]


def fitted(form: Form, rows: Batch, labels: Column) -> BaseEstimator:
    """The usual model of a form: a logistic regression, a network, or boosted trees."""
    if form.schema is FLIGHT_FEATURES:
        return frozen_pipeline().fit(pd.DataFrame(rows.columns), labels)
    table = np.column_stack(list(rows.columns.values()))
    if form.schema is PIXELS:
        return MLPClassifier((32,), tol=1e9).fit(table, labels)
    return LogisticRegression().fit(table, labels)


class Clock:
    """Processor time by stage, the least of all rounds."""

    def __init__(self) -> None:
        self.least: dict[str, float] = {}

    def __call__(self, stage: str, call: Callable[[], T], count: int) -> T:
        """Do one stage of `count` records."""
        began = thread_time()
        done = call()
        spent = (thread_time() - began) / count * 1e6
        self.least[stage] = min(spent, self.least.get(stage, spent))
        return done


def messages(form: Form, number: int) -> list[Message]:
    """A polled batch, its ids and offsets new in every round."""
    rows, start = drawn(form, form.batch), number * form.batch
    payloads = [form.write(f"req-{start + at:08d}", row) for at, row in enumerate(rows)]
    return [
        Message(
            topic=TOPICS.requests,
            partition=at % 4,
            offset=start + at,
            key=b"key-%d" % (at % 97),
            value=value,
            headers=list(headers) or None,
            timestamp=(1, 0),
        )
        for at, (value, headers) in enumerate(payloads)
    ]


def measured(form: Form) -> dict[str, float]:
    """Microseconds a record by stage."""
    clock, rack = Clock(), Rack(form)
    settings = PredictSettings(("m",))
    express = Express(TOPICS, settings)
    repeats = Repeats(10_000, lambda _: [], lambda _: 1)
    predict = Predict(TOPICS, rack, settings, Repeats(10_000, lambda _: [], lambda _: 1))
    count = form.batch
    for number in range(ROUNDS):
        batch = clock("poll", partial(read_all, messages(form, number)), count)
        polled = clock("look", partial(Polled.of, batch), count)
        clock("deadline", partial(all_overdue, polled.marks, 0), count)
        (lot,) = clock("decode", partial(express.read, polled, Hand(rack), ()), count)
        repeats.prepare(polled.firsts)
        clock("repeats", partial(repeats.admit, batch, [head.id for head in lot.heads]), count)
        rows = clock("assemble", partial(lot.form.batch, lot.cells), count)
        scores = clock("predict", partial(rack.runtime.predict, rows), count)
        outgoing = clock("encode", partial(express.written, lot, scores, polled), count)
        clock("whole", partial(predict, batch), count)
        producer = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
        clock("produce", partial(produce_all, producer, outgoing), count)
        producer.purge()
        producer.flush(0)
    return clock.least


def main(*names: str) -> None:
    """Measure and print."""
    found = {form.name: measured(form) for form in FORMS if form.name in names or not names}
    table = Table(title=f"us of processor time a record, least of {ROUNDS} rounds")
    table.add_column("stage")
    for name in found:
        table.add_column(name, justify="right")
    for stage in STAGES:
        table.add_row(stage, *(f"{stages[stage]:.2f}" for stages in found.values()))
    Console().print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
