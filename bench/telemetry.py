"""What metrics cost a worker, in one process and without servers.

    python -m bench.telemetry

Each batch of requests is handled and reported as delivered twice: with metrics off and on, in turns
first. It prints microseconds of processor time per record, the median of all batches; the median of
the differences; and the share that the hooks of a batch take by themselves. Without Kafka, a batch
costs less than in a worker, so that the shares are upper bounds. The median difference leaves out
the few batches in which the noted ones are measured; the share of the hooks includes that. A scrape
is that of a worker with 50 models and 32 partitions.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from logging import WARNING
from statistics import median
from time import thread_time
from typing import NamedTuple

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from rich.console import Console
from rich.table import Table
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.stages import (
    FORMATS,
    TOPICS,
    SingleModelProvider,
    StageFormat,
    messages,
    new_deduplicator,
)
from modstream.broker.client.conversions import to_records
from modstream.broker.loop.ports import BatchStats, Handler, ModelCost
from modstream.broker.wire.records import OffsetRanges, Record, TopicPartition
from modstream.models.serving.loaded_models import ModelRef
from modstream.process.health import HealthReport
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from modstream.producers.gateway.call_stats import CallStats
from modstream.services.worker_hooks import HookList, WorkerHooks, WorkerStats
from modstream.telemetry.gateway import GatewayMetrics
from modstream.telemetry.process import ProcessMetrics
from modstream.telemetry.worker import PrometheusHooks

BATCHES = {1: 4000, 10: 2000, 100: 400, 1000: 60}
"""How many batches of each size are handled."""
ROUNDS = 15
"""How often a call is measured by itself."""
SCRAPE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Versions:
    """A cache of models that has loaded some, each under two aliases."""

    names: Sequence[str]

    @property
    def versions(self) -> dict[ModelRef, int]:
        """The version of each reference."""
        return {(name, alias): 3 for name in self.names for alias in ("champion", "challenger")}

    @property
    def problems(self) -> dict[ModelRef, str]:
        """No problems."""
        return {}


class Lag:
    """A watchdog's probe with a lag in each of 32 partitions."""

    def pending(self) -> OffsetRanges:
        """Return the offsets that wait."""
        return {TopicPartition(TOPICS.requests, number): (0, 5) for number in range(32)}

    def has_records(self, ranges: OffsetRanges) -> bool:
        """Return whether there are ranges."""
        return bool(ranges)

    def deliveries(self) -> int:
        """Return no deliveries."""
        return 0

    drained_polls = deliveries


class Cost(NamedTuple):
    """Microseconds per record without and with metrics, and the median difference in percent."""

    off: float
    on: float
    percent: float


class Worker(NamedTuple):
    """A worker's handler, and its hooks."""

    handle: Handler
    hooks: HookList

    def run(self, batch: Sequence[Record]) -> float:
        """Handle a batch; return the microseconds of processor time per record."""
        start = thread_time()
        result = self.handle(batch)
        seconds = thread_time() - start
        stats = BatchStats(len(batch), len(result.records), seconds, result.costs)
        self.hooks.on_batch(stats)
        self.hooks.on_delivery(stats, 0.005)
        return (thread_time() - start) / len(batch) * 1e6


def worker(models: SingleModelProvider, *, has_metrics: bool) -> Worker:
    """Return a worker without Kafka."""
    hooks: list[WorkerHooks] = [WorkerStats()]
    handle: Handler = request_handler(
        TOPICS, models, InferenceSettings(("m",)), deduplicator=new_deduplicator()
    )
    if has_metrics:
        measured = ProcessMetrics.of(CollectorRegistry()).add(PrometheusHooks())
        measured.watch(Versions(["m"]))
        handle = measured.handler(handle, TOPICS.dlq)
        hooks.append(measured)
    return Worker(handle, HookList(hooks))


def measure(format_: StageFormat, size: int) -> Cost:
    """Return what metrics cost with batches of a size."""
    models = SingleModelProvider(format_)
    workers = worker(models, has_metrics=False), worker(models, has_metrics=True)
    records = to_records(messages(replace(format_, batch=BATCHES[size] * size), 0))
    costs: list[tuple[float, float]] = []
    for number in range(BATCHES[size]):
        batch = records[number * size : (number + 1) * size]
        order = (0, 1) if number % 2 == 0 else (1, 0)
        spent = {which: workers[which].run(batch) for which in order}
        costs.append((spent[0], spent[1]))
    off, on = (median(pair[which] for pair in costs) for which in (0, 1))
    return Cost(off, on, median((on / off - 1) * 100 for off, on in costs))


def hook_cost() -> float:
    """Return the microseconds that the hooks of a delivered batch take."""
    hooks = PrometheusHooks()
    hooks.watch(Versions(["m"]))
    stats = BatchStats(100, 100, 0.01, (ModelCost("m", 100, 0.005),))
    return least_us(lambda: hooks.on_delivery(stats, 0.005), calls=1000)


def scrape_cost() -> tuple[float, int]:
    """Return the milliseconds of a scrape of 50 models and 32 partitions, and its series."""
    registry = CollectorRegistry()
    metrics = ProcessMetrics.of(registry)
    hooks = metrics.add(PrometheusHooks())
    names = [f"model-{number}" for number in range(50)]
    hooks.watch(Versions(names))
    hooks.on_delivery(BatchStats(1, 1, 0.1, [ModelCost(name, 1, 0.1) for name in names]), 0.1)
    metrics.probe(Lag()).pending()
    metrics.on_health(HealthReport("w", True, "", 5, 0.0))
    series = sum(len(family.samples) for family in registry.collect())
    return least_us(lambda: generate_latest(registry), calls=1) / 1000, series


def call_cost() -> float:
    """Return the microseconds that the metrics of a sampled call of the gateway take."""
    metrics = GatewayMetrics()
    trace = (("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),)
    call = CallStats("prediction", "m", 0.01, trace)
    start = {"type": "http.response.start", "status": 200}

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start)

    async def ignore(_message: Message) -> None:
        pass

    async def receive() -> Message:
        return {}

    def run(application: ASGIApp) -> None:
        with suppress(StopIteration):
            application({"type": "http"}, receive, ignore).__await__().send(None)

    plain = least_us(lambda: run(app), calls=1000)
    counted = least_us(partial(run, metrics.app(app)), calls=1000)
    return least_us(lambda: metrics.on_call(call), calls=1000) + counted - plain


def least_us(call: Callable[[], object], calls: int) -> float:
    """Return the least microseconds of a call over some rounds."""
    found = []
    for _ in range(ROUNDS):
        start = thread_time()
        for _ in range(calls):
            call()
        found.append((thread_time() - start) / calls * 1e6)
    return min(found)


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(WARNING))
    console = Console()
    table = Table(title="us of processor time per record, median of all batches")
    for column in ("batch", "off", "on", "difference", "hooks alone"):
        table.add_column(column, justify="right")
    hooks = hook_cost()
    for size in BATCHES:
        cost = measure(FORMATS[0], size)
        table.add_row(
            *(f"{size:,}", f"{cost.off:.2f}", f"{cost.on:.2f}", f"{cost.percent:+.2f}%"),
            f"{hooks / size / cost.off:.3%}",
        )
    console.print(table)
    console.print(f"hooks of a batch: {hooks:.2f} us")
    console.print(f"metrics of a sampled call of the gateway over HTTP: {call_cost():.2f} us")
    milliseconds, series = scrape_cost()
    share = milliseconds / 1000 / SCRAPE_SECONDS
    console.print(f"a scrape of {series:,} series: {milliseconds:.1f} ms, {share:.3%} of a core")


if __name__ == "__main__":
    main()
