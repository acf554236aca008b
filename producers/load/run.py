"""The open-loop load generator: sends by the clock, and measures from when it meant to send.

A generator that waits for a stalled system before it sends on forgets exactly the requests that
would have suffered ("coordinated omission"). This one measures every latency from the intended
send time, whoever is to blame for the delay. Source: Gil Tene, "How NOT to Measure Latency",
and https://github.com/giltene/wrk2.
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
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import Topics
from modstream.producers.load.collector import CORRELATION, Collector
from modstream.producers.load.report import LoadReport, Observed, summarized
from modstream.producers.load.schedule import LoadPlan, Schedule, schedule
from modstream.producers.ports import Sink, Source
from modstream.producers.records.bad_records import BAD
from modstream.producers.records.random_rows import FeatureSpec, padded, random_row, request_of

LATE_AFTER = 0.01
"""Seconds; beyond it a send counts as late in the report."""
VARIETY = 256
"""Different payloads; they are encoded ahead, only the id is put in when one is sent."""
ID = "{the request id}"


def run_load(
    connection: Connection,
    topics: Topics,
    plan: LoadPlan,
    features: Sequence[FeatureSpec],
    stop: Event | None = None,
) -> LoadReport:
    """Run a load against a real stream; its topics must exist.

    Raises:
        BrokerError: the brokers could not be reached, or did not acknowledge a request.
    """
    with (
        Reader(connection, [topics.predictions, topics.dlq], start="end") as reader,
        Publisher(connection, "modstream-load") as publisher,
    ):
        return LoadRun(plan, features, topics).run(publisher, reader, stop or Event())


class Payloads:
    """A plan's records, encoded ahead but for their ids."""

    def __init__(self, plan: LoadPlan, features: Sequence[FeatureSpec]) -> None:
        rng = random.Random(plan.seed)

        def drawn() -> Request:
            rows = [random_row(features, rng) for _ in range(plan.rows)]
            return request_of(ID, rows, plan.form, plan.model)

        victim = Request(id=ID, features=random_row(features, rng), model=plan.model)
        kinds = plan.kinds if plan.bad else ()
        self._good = [padded(encode(drawn()), plan.padding) for _ in range(VARIETY)]
        self._bad = [BAD[kind].make(rng, victim) for kind in kinds]

    def value(self, number: int, kind: int, request_id: bytes) -> bytes:
        """The bytes of the entry of that number; `kind` picks a bad record, -1 a good one."""
        template = self._bad[kind] if kind >= 0 else self._good[number % VARIETY]
        return template.replace(ID.encode(), request_id, 1)


class LoadRun:
    """One run of one plan."""

    def __init__(self, plan: LoadPlan, features: Sequence[FeatureSpec], topics: Topics) -> None:
        self._plan = plan
        self._topics = topics
        self._schedule: Schedule = schedule(plan)
        self._payloads = Payloads(plan, features)

    def run(self, sink: Sink, source: Source, stop: Event) -> LoadReport:
        """Send the whole schedule, hear the answers, report; `stop` ends the sending early.

        Args:
            sink: takes the requests.
            source: stands at the end of the predictions and the dead letters already.
            stop: set from another thread.
        """
        collector = Collector(source, self._topics, self._plan.run, self._schedule.size)
        start = perf_counter()
        with ThreadPoolExecutor(1, "load-answers") as pool:
            listening = pool.submit(collector.listen, lambda: perf_counter() - start)
            try:
                sent = self._send(sink, stop, start)
                sink.flush()
                collector.wait(int((~np.isnan(sent)).sum()), self._plan.patience)
            finally:
                collector.finish()
            listening.result()
        return summarized(self._observed(sent, collector), LATE_AFTER)

    def _send(self, sink: Sink, stop: Event, start: float) -> npt.NDArray[np.float64]:
        """Send each entry when it is due, or at once if that is past; returns when each left."""
        left = np.full(self._schedule.size, np.nan)
        for number, (due, key, kind) in enumerate(self._schedule.entries()):
            if stop.wait(max(0.0, start + due - perf_counter())):
                break
            left[number] = perf_counter() - start
            sink.send(self._record(number, key, kind))
        return left

    def _record(self, number: int, key: int, kind: int) -> Outgoing:
        request_id = b"%s-%d" % (self._plan.run.encode(), number)
        return Outgoing(
            self._topics.requests,
            request_id if key < 0 else b"key-%d" % key,
            self._payloads.value(number, kind, request_id),
            ((CORRELATION, request_id),) if kind >= 0 else (),
        )

    def _observed(self, sent: npt.NDArray[np.float64], collector: Collector) -> Observed:
        kinds = self._plan.kinds
        return Observed(
            due=self._schedule.due,
            sent=sent,
            arrived=collector.arrived,
            kinds=[kinds[kind] if kind >= 0 else None for kind in self._schedule.kind.tolist()],
            ways_out=collector.ways_out,
            repeated=collector.repeated,
        )
