"""The open-loop load generator: sends by schedule, and measures from the intended send times.

A generator that stops sending while the system stalls omits exactly the requests that would have
waited ("coordinated omission"). This generator measures every latency from the intended send
time, whatever delayed the request. Source: Gil Tene, "How NOT to Measure Latency", and
https://github.com/giltene/wrk2.
"""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import perf_counter

import numpy as np
import numpy.typing as npt

from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.producers.load.collector import CORRELATION_ID, ResponseCollector
from modstream.producers.load.report import LoadReport, Observations, summarize
from modstream.producers.load.schedule import LoadPlan, Schedule, build_schedule
from modstream.producers.ports import RecordSink, RecordSource
from modstream.producers.records.bad_records import BAD_RECORDS
from modstream.producers.records.random_rows import (
    FeatureSpec,
    make_request,
    random_row,
    with_padding,
)

LATE_AFTER_SECONDS = 0.01
"""Delay after the intended time beyond which the report counts a send as late."""
DISTINCT_PAYLOADS = 256
"""Number of different payloads. They are encoded in advance; sending inserts the id only."""
ID_PLACEHOLDER = "{the request id}"


def run_load(
    connection: Connection,
    topics: Topics,
    plan: LoadPlan,
    features: Sequence[FeatureSpec],
    stop: Event | None = None,
) -> LoadReport:
    """Run a load on a stream whose topics exist.

    Args:
        connection: the cluster.
        topics: the topics of the stream.
        plan: the load.
        features: the features of the rows that are sent.
        stop: an event that ends the sending early when it is set.

    Raises:
        BrokerError: no broker can be reached, or a request was not acknowledged.
    """
    with (
        Reader(connection, [topics.predictions, topics.dlq], start="end") as reader,
        Publisher(connection, "modstream-load") as publisher,
    ):
        return LoadRun(plan, features, topics).run(publisher, reader, stop or Event())


class PayloadTemplates:
    """The record values of a plan, encoded in advance with a placeholder for the id."""

    def __init__(self, plan: LoadPlan, features: Sequence[FeatureSpec]) -> None:
        rng = random.Random(plan.seed)

        def random_request() -> Request:
            rows = [random_row(features, rng) for _ in range(plan.rows)]
            return make_request(ID_PLACEHOLDER, rows, plan.request_format, plan.model)

        valid = Request(id=ID_PLACEHOLDER, features=random_row(features, rng), model=plan.model)
        kinds = plan.bad_kinds if plan.bad_share else ()
        self._good = [
            with_padding(encode(random_request()), plan.padding_bytes)
            for _ in range(DISTINCT_PAYLOADS)
        ]
        self._bad = [BAD_RECORDS[kind].make(rng, valid) for kind in kinds]

    def value(self, number: int, kind: int, request_id: bytes) -> bytes:
        """Return the value of one request; `kind` is the index of a bad kind, -1 a good request."""
        template = self._bad[kind] if kind >= 0 else self._good[number % DISTINCT_PAYLOADS]
        return template.replace(ID_PLACEHOLDER.encode(), request_id, 1)


class LoadRun:
    """A single run of a load plan."""

    def __init__(self, plan: LoadPlan, features: Sequence[FeatureSpec], topics: Topics) -> None:
        self._plan = plan
        self._topics = topics
        self._schedule: Schedule = build_schedule(plan)
        self._templates = PayloadTemplates(plan, features)

    def run(self, sink: RecordSink, source: RecordSource, stop: Event) -> LoadReport:
        """Send all scheduled requests, collect the responses and return the report.

        Args:
            sink: where the requests are sent.
            source: the predictions and dead letters, positioned at their ends.
            stop: an event that ends the sending early when another thread sets it.
        """
        collector = ResponseCollector(source, self._topics, self._plan.run_id, self._schedule.size)
        start = perf_counter()
        with ThreadPoolExecutor(1, "load-responses") as pool:
            collecting = pool.submit(collector.run, lambda: perf_counter() - start)
            try:
                sent_times = self._send(sink, stop, start)
                sink.flush()
                collector.wait(int((~np.isnan(sent_times)).sum()), self._plan.drain_timeout_seconds)
            finally:
                collector.stop()
            collecting.result()
        return summarize(self._observations(sent_times, collector), LATE_AFTER_SECONDS)

    def _send(self, sink: RecordSink, stop: Event, start: float) -> npt.NDArray[np.float64]:
        """Send each request at its due time, or at once if it is late; return the send times."""
        sent_times = np.full(self._schedule.size, np.nan)
        for number, (due, key, kind) in enumerate(self._schedule.entries()):
            if stop.wait(max(0.0, start + due - perf_counter())):
                break
            sent_times[number] = perf_counter() - start
            sink.send(self._record(number, key, kind))
        return sent_times

    def _record(self, number: int, key: int, kind: int) -> ProducerRecord:
        request_id = b"%s-%d" % (self._plan.run_id.encode(), number)
        return ProducerRecord(
            self._topics.requests,
            request_id if key < 0 else b"key-%d" % key,
            self._templates.value(number, kind, request_id),
            ((CORRELATION_ID, request_id),) if kind >= 0 else (),
        )

    def _observations(
        self, sent: npt.NDArray[np.float64], collector: ResponseCollector
    ) -> Observations:
        kinds = self._plan.bad_kinds
        return Observations(
            due_times=self._schedule.due_times,
            sent_times=sent,
            arrival_times=collector.arrival_times,
            bad_kinds=[
                kinds[kind] if kind >= 0 else None for kind in self._schedule.bad_kinds.tolist()
            ],
            exits=collector.exits,
            extra_responses=collector.extra_responses,
        )
