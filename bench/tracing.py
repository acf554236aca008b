"""What traces cost a worker and a gateway, in one process and without servers.

    python -m bench.tracing [BATCH ...]

The same requests pass through a worker's poll, handler and produce call with traces off and on, in
turns first; requests have the headers of a gateway. It prints microseconds of processor time per
record with traces off, the minimum of several rounds; what tracing takes by itself for the same
batches and their results, with the encoding of the spans in its own thread; the share of that; and
the ratio of on to off, the median of all rounds, which needs a quiet machine. Posting the spans is
left out: it is a call of the operating system for 4 MiB at most. The produce call is into a queue
without a broker. Without Kafka, a batch costs less than in a worker, so that shares are upper
bounds.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from logging import WARNING
from os import urandom
from statistics import median
from time import thread_time
from typing import NamedTuple

import structlog
from confluent_kafka import Message, Producer
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from rich.console import Console
from rich.table import Table

from bench.stages import (
    FORMATS,
    TOPICS,
    Payload,
    Row,
    SingleModelProvider,
    messages,
    named_row,
    new_deduplicator,
)
from modstream.broker.client.conversions import to_records
from modstream.broker.client.produce import produce_records
from modstream.broker.client.publisher import DeliveryReport
from modstream.broker.loop.ports import Delivery, Handler, HandlerResult
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.process.gc_tuning import relaxed_gc
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from modstream.producers.gateway.call_tracing import CallResult, CallRoute
from modstream.telemetry.traces.encoding import serialize
from modstream.telemetry.traces.ports import NO_TRACING, ProcessTracing
from modstream.telemetry.traces.provider import OtelTracing
from modstream.telemetry.traces.span_queue import SpanQueue

ROUNDS = 9
CALLS = 200
"""How many calls of a gateway a round has; all their spans fit the queue."""
RECORDS = {10_000: 10_000, 1000: 10_000, 100: 10_000, 1: 1000}
"""How many records a round has, by the size of a batch."""


class Sampling(NamedTuple):
    """Which requests have a `traceparent`, and which of these are sampled: one in so many."""

    name: str
    limit: float
    sampled_every: int | None
    has_others: bool = False


SAMPLINGS = (
    Sampling("none sampled", 0.03, None),
    Sampling("1 % sampled", 0.03, 100),
    Sampling("1 % sampled, all with traceparent", 0.03, 100, has_others=True),
    Sampling("all sampled", 0.10, 1),
)


@dataclass(slots=True)
class TracedRows:
    """Writes requests as a gateway does, some of them with a trace context."""

    sampling: Sampling
    _count: int = 0

    def __call__(self, request_id: str, row: Row) -> Payload:
        """Write one row by name."""
        value, _ = named_row(request_id, row)
        headers = (("reply-to", b"gateway"), ("correlation-id", urandom(16).hex().encode()))
        every = self.sampling.sampled_every
        self._count += 1
        is_sampled = every is not None and self._count % every == 0
        if not is_sampled and not self.sampling.has_others:
            return value, headers
        ids = f"{urandom(16).hex()}-{urandom(8).hex()}"
        return value, (*headers, ("traceparent", f"00-{ids}-0{int(is_sampled)}".encode()))


@dataclass(slots=True)
class Encoder:
    """Encodes spans instead of sending them, and measures its thread."""

    seconds: float = 0.0

    def __call__(self, spans: Sequence[ReadableSpan]) -> None:
        """Encode some spans."""
        start = thread_time()
        serialize(spans)
        self.seconds += thread_time() - start


class ProduceOnly:
    """A delivery into the queue of a producer without a broker."""

    def __init__(self) -> None:
        self._producer = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})

    def __call__(self, records: Iterable[ProducerRecord], batch: Sequence[Record]) -> None:
        """Produce the records of a batch."""
        del batch
        produce_records(self._producer, records)

    def clear(self) -> None:
        """Remove all records from the queue."""
        self._producer.purge()
        self._producer.flush(0)

    close = clear


@dataclass(slots=True)
class Worker:
    """A worker without Kafka, and the thread that encodes its spans, if there is one."""

    handle: Handler
    deliver: Delivery
    output: ProduceOnly
    encoder: Encoder = field(default_factory=Encoder)
    queue: SpanQueue | None = None

    def run(self, batches: Sequence[Sequence[Message]]) -> float:
        """Return the seconds of processor time for some batches, those of encoding included."""
        self.encoder.seconds = 0.0
        start = thread_time()
        for polled in batches:
            batch = to_records(polled)
            self.deliver(self.handle(batch).records, batch)
        spent = thread_time() - start
        if self.queue is not None:
            self.queue.force_flush()
        self.output.clear()
        return spent + self.encoder.seconds


def worker(models: SingleModelProvider, *, is_traced: bool) -> Worker:
    """Return a worker without Kafka."""
    inner = request_handler(
        TOPICS, models, InferenceSettings(("m",)), deduplicator=new_deduplicator()
    )
    output, encoder, queue = ProduceOnly(), Encoder(), None
    tracing: ProcessTracing = NO_TRACING
    if is_traced:
        queue = SpanQueue(encoder)
        tracing = OtelTracing(queue, Resource({}), 1.0, TOPICS.stream)
    handle, deliver = tracing.worker(inner, output, TOPICS.group("worker"))
    return Worker(handle, deliver, output, encoder, queue)


class Prepared:
    """Returns the results of batches that were handled before, in their order."""

    def __init__(self, results: Sequence[HandlerResult]) -> None:
        self._results = iter(results)

    def __call__(self, _batch: Sequence[Record]) -> HandlerResult:
        """Return the next result."""
        return next(self._results)


class NoDelivery:
    """A delivery that does nothing."""

    def __call__(self, records: Iterable[ProducerRecord], batch: Sequence[Record]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def tracing_alone(handle: Handler, batches: Sequence[Sequence[Message]]) -> float:
    """Return the seconds of processor time that tracing takes for handled batches."""
    polled = [to_records(batch) for batch in batches]
    results = [handle(batch) for batch in polled]
    encoder = Encoder()
    queue = SpanQueue(encoder)
    tracing = OtelTracing(queue, Resource({}), 1.0, TOPICS.stream)
    traced, deliver = tracing.worker(Prepared(results), NoDelivery(), TOPICS.group("worker"))
    start = thread_time()
    for batch in polled:
        deliver(traced(batch).records, batch)
    spent = thread_time() - start
    queue.close(60)
    return spent + encoder.seconds


class Cost(NamedTuple):
    """Microseconds per record with traces off and of tracing alone, and on divided by off."""

    off: float
    alone: float
    ratio: float


def measure(sampling: Sampling, size: int) -> Cost:
    """Return what traces cost with batches of a size."""
    count = RECORDS[size]
    format_ = replace(FORMATS[0], write=TracedRows(sampling), batch=count)
    models = SingleModelProvider(format_)
    workers = worker(models, is_traced=False), worker(models, is_traced=True)
    another = worker(models, is_traced=False)
    spent: list[tuple[float, float, float]] = []
    for number in range(ROUNDS):
        polled = messages(format_, number)
        batches = [polled[start : start + size] for start in range(0, count, size)]
        order = (0, 1) if number % 2 == 0 else (1, 0)
        found = {which: workers[which].run(batches) for which in order}
        spent.append((found[0], found[1], tracing_alone(another.handle, batches)))
    off, alone = (min(one[i] for one in spent) / count * 1e6 for i in (0, 2))
    return Cost(off, alone, median(on / off for off, on, _ in spent))


def call_cost(*, is_sampled: bool) -> float:
    """Return the microseconds of the spans of a gateway's call, their encoding included."""
    encoder = Encoder()
    queue = SpanQueue(encoder)
    tracing = OtelTracing(queue, Resource({}), float(is_sampled), TOPICS.stream)
    calls, sends = tracing.calls(), tracing.sends()
    route = CallRoute("http", "/v1/streams/{stream}/predict")
    record = ProducerRecord(TOPICS.requests, b"key", b"value")
    stored = Record(TOPICS.requests, 0, 0, b"key", b"value")
    costs = []
    for _ in range(ROUNDS):
        encoder.seconds = 0.0
        start = thread_time()
        for _ in range(CALLS):
            with calls.begin(route, TOPICS.stream, ()) as call:
                sent, end = sends(record._replace(headers=call.headers), None)
                if end is not None:
                    end(DeliveryReport(sent, stored, None))
                call.note(CallResult("prediction", "id", "m", "1"))
        spent = thread_time() - start
        queue.force_flush()
        costs.append((spent + encoder.seconds) / CALLS * 1e6)
    return min(costs)


def main(*sizes: str) -> None:
    """Measure batches of some sizes, by default of all, and print a table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(WARNING))
    table = Table(title=f"us of processor time per record, {ROUNDS} rounds")
    for column in ("requests", "batch", "off", "tracing", "share", "on / off", "limit"):
        table.add_column(column, justify="left" if column == "requests" else "right")
    with relaxed_gc():  # As in a worker.
        for sampling in SAMPLINGS:
            for size in map(int, sizes) if sizes else RECORDS:
                cost = measure(sampling, size)
                table.add_row(
                    *(sampling.name, f"{size:,}", f"{cost.off:.2f}", f"{cost.alone:.2f}"),
                    *(f"{cost.alone / cost.off:.1%}", f"{cost.ratio - 1:+.1%}"),
                    f"{sampling.limit:.0%}",
                )
    console = Console()
    console.print(table)
    for name, is_sampled in (("sampled", True), ("not sampled", False)):
        console.print(f"a call of the gateway, {name}: {call_cost(is_sampled=is_sampled):.1f} us")


if __name__ == "__main__":
    main(*sys.argv[1:])
