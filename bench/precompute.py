"""Precompute of flights: its speed beside the worker's own, killed runs, and lookups.

  python bench/precompute.py            # 250,000 flights
  python bench/precompute.py 20000

1. saturation: one worker answers preloaded requests
2. precompute: one worker answers the same flights from a Parquet file; rows a second are counted
   between the first and the last answer, by the broker's clock, as those of 1
3. materializer: how fast it stores these answers afterwards
4. killed: the same run, killed twice and resumed; rows that are missing or doubled
5. lookups in the store, one after the other
"""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter, sleep

import numpy as np

from bench import benchmark_models
from bench.environment import PARTITIONS, BenchEnvironment, open_environment
from bench.machine import describe_machine
from bench.responses import read_response_stats
from bench.rounds import prepare_job
from bench.running import RunningSystem
from bench.saturation import saturate
from bench.systems import MODSTREAM
from bench.workloads import WORKLOADS
from modstream import logs
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import KIND_ERROR
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Header
from modstream.models.prediction_store.store import PredictionStore
from modstream.operations.precompute.responses import ResponseReader
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.process.children import module_command
from modstream.process.supervisor import Command
from modstream.processors.precompute.request_ids import RequestIds
from modstream.producers.replay.flights import FEATURES, load_flights
from modstream.settings import Settings
from modstream.stack.local_stack import child_environment

STREAM = "precomputed"
ROWS = 250_000
LOOKUPS = 20_000
MAX_SECONDS = 600.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Bench:
    """The servers, the settings of the stream that is precomputed, and the file of its rows."""

    environment: BenchEnvironment
    settings: Settings
    model: str
    rows: int
    source: Path

    @contextmanager
    def service(self, name: str) -> Iterator[RunningSystem]:
        """Run a service of modstream as long as the context."""
        command = Command(name, module_command("modstream", name), child_environment(self.settings))
        with RunningSystem(self.environment, [command]) as running:
            yield running

    def start(self, run: str, *options: str) -> "subprocess.Popen[str]":
        """Start a precompute run."""
        arguments = ("--model", self.model, "--from", str(self.source), "--key", "id")
        command = module_command("modstream", "precompute", *arguments, "--run", run, *options)
        return subprocess.Popen(
            command, env=child_environment(self.settings), stdout=subprocess.PIPE, text=True
        )

    def finish(self, run: str) -> RequestIds:
        """Run to the end; return the ids of the run's requests."""
        with self.start(run, "--json") as process:
            stdout, _ = process.communicate(timeout=MAX_SECONDS)
        if process.returncode:
            raise SystemExit(f"the run {run} failed: {stdout}")
        name, token, _ = json.loads(stdout)["ids"].rsplit(".", 2)
        return RequestIds(name, token)

    def answered(self) -> dict[TopicPartition, int]:
        """Return the ends of the answers."""
        return self.environment.end_offsets(self.settings.topics().predictions)


def main() -> None:
    """Measure and print."""
    logs.show_errors_only()
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with (
        TemporaryDirectory(prefix="precompute-") as folder,
        open_environment(Path(folder)) as environment,
    ):
        saturation = measure_saturation(environment, rows)
        bench = prepare(environment, rows)
        with bench.service("worker"), open_prediction_store(bench.settings) as store:
            rate = measure_precompute(bench)
            say(
                f"precompute of {rows:,} flights: {rate:,.0f} rows/s, {rate / saturation:.2f} of it"
            )
            with bench.service("materializer"):
                say(f"materializer: {measure_materializer(bench, store):,.0f} rows/s")
            measure_killed(bench)
            measure_lookups(bench, store)
    say(str(describe_machine()))


def measure_saturation(environment: BenchEnvironment, rows: int) -> float:
    """Return the answers a second of a worker to preloaded requests."""
    workload = next(one for one in WORKLOADS if one.name == "flights")
    job = prepare_job(environment, workload, rows)
    found = saturate(job, MODSTREAM[0], rows, MAX_SECONDS)
    environment.admin.delete([job.topics.requests, job.topics.predictions])
    say(f"saturation of one worker: {found.throughput:,.0f} answers/s")
    return found.throughput


def prepare(environment: BenchEnvironment, rows: int) -> Bench:
    """Create the stream, and write the rows to a Parquet file."""
    environment.create_topics(STREAM, PARTITIONS)
    model = benchmark_models.flights()
    environment.publish(model)
    flights = load_flights().head(rows)
    source = environment.folder / "flights.parquet"
    flights[["id", *FEATURES]].to_parquet(source)
    settings = environment.settings.model_copy(
        update={"stream": STREAM, "route": (model.spec.name,), "log_format": "json"}
    )
    return Bench(environment, settings, model.spec.name, len(flights), source)


def measure_precompute(bench: Bench) -> float:
    """Return the rows a second of a run that nothing disturbs."""
    before = bench.answered()
    start = monotonic()
    bench.finish("whole")
    whole = monotonic() - start
    stats = read_response_stats(bench.settings.connection, before)
    say(f"the command took {whole:.1f} s in all, {bench.rows / whole:,.0f} rows/s")
    return stats.count / stats.seconds


def measure_materializer(bench: Bench, store: PredictionStore) -> float:
    """Return the predictions a second that the materializer stores."""
    topic = bench.settings.topics().predictions
    while not store.offsets(topic):
        sleep(POLL_SECONDS / 10)
    start, first = monotonic(), sum(store.offsets(topic).values())
    end = sum(bench.answered().values())
    # The last offset of each partition may be the marker of a transaction.
    while (stored := sum(store.offsets(topic).values())) < end - PARTITIONS:
        sleep(POLL_SECONDS)
    if sum(store.count_versions(bench.model).values()) != bench.rows:
        raise SystemExit("the store does not have every key")
    return (stored - first) / (monotonic() - start)


def measure_killed(bench: Bench) -> None:
    """Kill a run twice, resume it, and print what is missing and what is doubled."""
    start = sum(bench.answered().values())
    for share in (1 / 3, 2 / 3):
        with bench.start("killed") as process:
            while sum(bench.answered().values()) - start < share * bench.rows:
                sleep(POLL_SECONDS)
            process.kill()
    ids = bench.finish("killed")
    predicted: Counter[int] = Counter()
    errors: Counter[str] = Counter()
    topic = bench.settings.topics().predictions
    answers = ResponseReader(ids, topic).read(read_to_end(bench.settings.connection, [topic]))
    for answer in answers:
        if answer.record.header(Header.KIND) == KIND_ERROR:
            errors[answer.code or ""] += 1
        else:
            predicted[answer.attempt.row] += 1
    missing = bench.rows - len(predicted)
    doubled = sum(count - 1 for count in predicted.values())
    say(f"killed twice and resumed: {missing:,} rows missing, {doubled:,} doubled, {dict(errors)}")


def measure_lookups(bench: Bench, store: PredictionStore) -> None:
    """Print the latencies of lookups of random keys."""
    keys = load_flights()["id"].head(bench.rows).tolist()
    drawn, times = random.Random(1).choices(keys, k=LOOKUPS), []
    for key in drawn:
        start = perf_counter()
        found = store.get(bench.model, key)
        times.append(1000 * (perf_counter() - start))
        if found is None:
            raise SystemExit(f"no prediction of {key}")
    p50, p99 = np.percentile(times, (50, 99))
    say(f"{LOOKUPS:,} lookups: p50 {p50:.3f} ms, p99 {p99:.3f} ms, maximum {max(times):.2f} ms")


say = partial(print, flush=True)


if __name__ == "__main__":
    main()
