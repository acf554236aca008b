"""Memory and recovery of an aggregator whose stream has a group for each user, on a real Kafka.

    python -m bench.feature_processes                   # 200,000 users, on disk
    python -m bench.feature_processes --users 1000000
    python -m bench.feature_processes --store memory

Each user has asked once. The process counts the predictions, is killed, and started again; its
memory is what the kernel says of it, with Kafka's clients.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Annotated

import msgspec
import typer

from bench.environment import BenchEnvironment, open_environment
from bench.feature_state import DEFINITIONS, HOUR_MS, START_MS, say
from modstream.broker.wire.codec import KIND_PREDICTION
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Header, Topics
from modstream.features.definitions import open_definitions
from modstream.process.children import module_command
from modstream.settings import Settings
from modstream.stack.local_stack import child_environment

STREAM = "users"
TIMEOUT_S = 1800.0
READY = "aggregator ready"


def main(
    *,
    users: Annotated[int, typer.Option(help="Number of users.")] = 200_000,
    store: Annotated[str, typer.Option(help="`disk` or `memory`.")] = "disk",
) -> None:
    """Measure an aggregator."""
    with TemporaryDirectory() as folder, open_environment(Path(folder)) as environment:
        topics = environment.create_topics(STREAM)
        settings = environment.settings.model_copy(update={"stream": STREAM})
        with open_definitions(settings) as table:
            table.write(DEFINITIONS)
        environment.preload(predictions(topics, users))
        for text in ("counts", "after SIGKILL"):
            run_aggregator(environment, settings, store, text)


def predictions(topics: Topics, users: int) -> Iterator[ProducerRecord]:
    """Yield the predictions of all users, in the order of time."""
    kind = ((Header.KIND, KIND_PREDICTION),)
    for user in range(users):
        time = START_MS + user * 24 * HOUR_MS // users
        content = {"id": f"r{user}", "features": {"amount": user / 7}, "event_time": time}
        yield ProducerRecord(
            topics.predictions, b"user-%d" % user, msgspec.json.encode(content), kind
        )


def run_aggregator(
    environment: BenchEnvironment, settings: Settings, store: str, text: str
) -> None:
    """Run an aggregator until it has counted all, print its memory, and kill it."""
    variables = {**child_environment(settings), "MODSTREAM_STREAM_FEATURES__STORE": store}
    log = environment.folder / f"{text}.log"
    started = monotonic()
    with log.open("wb") as output:
        command = module_command("modstream", "aggregator", STREAM)
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output)
    try:
        ready = 0.0
        while True:
            if process.poll() is not None or monotonic() - started > TIMEOUT_S:
                sys.stdout.write(log.read_text()[-3000:])
                raise typer.Exit(1)
            if not ready and READY in log.read_text():
                ready = monotonic() - started
            if ready and is_done(environment, settings):
                break
            sleep(0.1)
        seconds = {"ready_after": f"{ready:.1f}", "done_after": f"{monotonic() - started:.1f}"}
        say(text, **seconds, **process_memory(process.pid))
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def is_done(environment: BenchEnvironment, settings: Settings) -> bool:
    """Return whether the aggregator has counted all predictions."""
    topics = settings.topics()
    lags = environment.admin.lag(topics.group("aggregator"), [topics.predictions])
    return bool(lags) and max(lags.values()) == 0


def process_memory(pid: int) -> dict[str, int]:
    """Return the resident memory of a process in MiB, now and at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {"rss_mib": "VmRSS", "at_most": "VmHWM"}
    return {name: int(fields[field].split()[0]) // 1024 for name, field in names.items()}


if __name__ == "__main__":
    typer.run(main)
