"""What metrics, traces and the inference log cost a real worker, alone and together.

    python -m bench.observability [--rounds 3] [--requests 60000]

Workers with different settings answer the same requests on the same broker, exactly once, in turns;
each round has another order. It prints the processor time of a worker's process per record, the
median of the rounds, and the median of the ratios to the worker without any of them in the same
round. All requests have a `traceparent`, as behind a gateway with traces. Spans go to a receiver
that drops them, and metrics are read once a second, fifteen times as often as Prometheus does.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer
from rich.console import Console
from rich.table import Table

from bench.environment import PARTITIONS, BenchEnvironment, open_environment
from bench.machine import describe_machine
from bench.saturation import saturate
from bench.systems import Job, System, modstream
from bench.workloads import WORKLOADS, Workload
from modstream import logs
from modstream.broker.wire.records import ProducerRecord
from modstream.metrics_settings import MetricsSettings
from modstream.process.supervisor import Command
from modstream.processors.predict.log_settings import InferenceLogSettings
from modstream.stack.embedded.ports import free_port
from modstream.trace_settings import TracingSettings

SAMPLED_EVERY = {"few": 100, "all": 1}
"""One request in so many is sampled, by the stream that has them."""
SCRAPE_SECONDS = 1.0
RUN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Variant:
    """A worker with some settings: what it is called, its requests, and the settings."""

    name: str
    requests: str
    settings: Mapping[str, object]
    limit: float | None = None


def variants(endpoint: str, port: int) -> tuple[Variant, ...]:
    """Return the variants; the first one has everything off."""
    traces = {"tracing": TracingSettings(enabled=True, endpoint=endpoint)}
    metrics = {"metrics": MetricsSettings(port=port)}
    log = {"inference_log": InferenceLogSettings(enabled=True)}
    return (
        Variant("all off", "few", {}),
        Variant("metrics", "few", metrics),
        Variant("traces, 1 % sampled", "few", traces, 1.03),
        Variant("traces, all sampled", "all", traces, 1.10),
        Variant("inference log", "few", log),
        Variant("metrics, traces of 1 %, log", "few", {**metrics, **traces, **log}),
    )


def traced(workload: Workload, topic: str, count: int, every: int) -> Iterator[ProducerRecord]:
    """Yield requests with a `traceparent`; one in `every` is sampled."""
    random = Random(1)
    for number, record in enumerate(workload.requests(topic, count)):
        flags = 1 if number % every == 0 else 0
        context = f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-{flags:02x}"
        headers = (*record.headers, ("traceparent", context.encode()))
        yield record._replace(headers=headers)


def prepare(environment: BenchEnvironment, workload: Workload, requests: int) -> dict[str, Job]:
    """Create a stream for each share of sampled requests, with its requests."""
    model = environment.publish(workload.make_model())
    jobs = {}
    for name, every in SAMPLED_EVERY.items():
        topics = environment.settings.topics(f"{workload.name}-{name}")
        environment.admin.create(topics.specs(PARTITIONS, log_days=1))
        environment.preload(traced(workload, topics.requests, requests, every))
        jobs[name] = Job(environment, workload, topics, model)
    return jobs


def system(variant: Variant) -> System:
    """Return the worker of a variant."""

    def command(job: Job) -> Command:
        return modstream("exactly_once", job, settings=variant.settings)

    return System(variant.name, "exactly_once", command)


class DropSpans(BaseHTTPRequestHandler):
    """Answers each export of spans with success."""

    def do_POST(self) -> None:
        """Read the body and answer."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def receiver() -> Iterator[str]:
    """Receive spans as long as the context; yield the endpoint."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), DropSpans)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def scraping(port: int) -> Iterator[None]:
    """Read the metrics on a port again and again, as long as the context and if there are any."""
    stop = Event()

    def scrape() -> None:
        while not stop.wait(SCRAPE_SECONDS):
            try:
                urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()
            except (URLError, OSError):  # the worker starts, has ended, or serves none
                continue

    thread = Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def measure(requests: int, rounds: int, screen: Console) -> list[tuple[Variant, list[float]]]:
    """Return the microseconds of processor time per record of each variant, by round."""
    (workload,) = (one for one in WORKLOADS if one.name == "row8")
    port = free_port()
    with (
        screen.status("starting Kafka and Redis") as status,
        TemporaryDirectory(prefix="bench-") as folder,
        open_environment(Path(folder)) as environment,
        receiver() as endpoint,
        scraping(port),
    ):
        jobs = prepare(environment, workload, requests)
        found: dict[str, list[float]] = {}
        every = variants(endpoint, port)
        for number in range(rounds):
            start = number % len(every)
            for variant in (*every[start:], *every[:start]):
                status.update(f"round {number + 1} of {rounds}: {variant.name}")
                job = jobs[variant.requests]
                run = saturate(job, system(variant), requests, RUN_SECONDS)
                found.setdefault(variant.name, []).append(run.cpu_us)
        return [(variant, found[variant.name]) for variant in every]


def main(
    *,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    requests: Annotated[int, typer.Option(min=1000)] = 300_000,
) -> None:
    """Measure and print a table."""
    logs.show_errors_only()
    screen = Console(stderr=True)
    found = measure(requests, rounds, screen)
    plain = found[0][1]
    table = Table(title=f"a worker's processor time per record, median of {rounds} rounds")
    for column in ("worker", "us", "of all off", "rounds", "limit"):
        table.add_column(column, justify="left" if column == "worker" else "right")
    for variant, costs in found:
        ratios = [one / off for one, off in zip(costs, plain, strict=True)]
        limit = "" if variant.limit is None else f"{variant.limit:.2f}"
        each = " ".join(f"{one:.2f}" for one in ratios)
        cells = (f"{median(costs):.1f}", f"{median(ratios):.3f}", each, limit)
        table.add_row(variant.name, *cells)
    Console().print(table)
    screen.print(str(describe_machine()))


if __name__ == "__main__":
    typer.run(main)
