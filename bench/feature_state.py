"""What the state of stream features needs on disk and in memory, with a group for each user.

    python -m bench.feature_state                         # 500,000 users
    python -m bench.feature_state --groups 5000000
    python -m bench.feature_state --compare               # a worker's costs, disk and memory

Each user asks once, at random, in an hour of the last day; two features, count and mean, by the key
of the request. The aggregator's own code counts the requests, reads its updates back as it does
from its topic, and is killed; another one opens its copy. Then a worker's own code fills its copy
from the same updates, and answers batches of 500 users, of whom half are new. Kafka's client,
which both processes also have, is left out; its buffers need up to 64 MiB more.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from struct import Struct
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Annotated, BinaryIO

import msgspec
import typer

from modstream.broker.wire.codec import KIND_PREDICTION
from modstream.broker.wire.records import ProducerRecord, Record, TopicPartition
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.aggregate.disk.counts import CountsOnDisk
from modstream.processors.aggregate.disk.group_cache import GroupCache
from modstream.processors.aggregate.disk.open_table import TopicState, open_table
from modstream.processors.aggregate.disk.rows import ByGroup, ByOwner
from modstream.processors.aggregate.disk.table import FeatureTable
from modstream.processors.aggregate.events import EventDecoder
from modstream.processors.aggregate.handler import AggregateHandler, Bounds
from modstream.processors.aggregate.served import ServedFeatures
from modstream.processors.aggregate.updates import UpdateCodec
from modstream.processors.features.files import parse_features
from modstream.processors.features.row_origin import RowOrigins
from modstream.processors.storage.database import folder_size

TOPICS = Topics("bench")
BATCH = 500
HOUR_MS = 3_600_000
START_MS = 480_000 * HOUR_MS
REPORT_EVERY = 1_000_000
WORKER_BATCHES, WARM_UP = 60, 10
COMPARED_GROUPS = 200_000
MIB = 1024 * 1024
DEFINITIONS = b"""
[[features]]
name = "{aggregate}_user_24h"
source = "requests"
group = ["@key"]
window = "24h"
slice = "1h"
aggregates = ["count", "mean"]
value = "amount"
"""
FEATURES = parse_features(DEFINITIONS, "bench")
CODEC = UpdateCodec(TOPICS.features, FEATURES.aggregations)
LENGTHS = Struct(">II")


def main(
    *,
    groups: Annotated[int, typer.Option(help="Number of users.")] = 500_000,
    folder: Annotated[Path | None, typer.Option(help="Where the files are; kept.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Disk beside memory.")] = False,
    stage: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Measure the state of stream features."""
    with TemporaryDirectory(dir=folder) as temporary:
        place = folder if stage and folder is not None else Path(temporary)
        if stage:
            STAGES[stage](place, groups)
            return
        names = ["aggregate", "recover", "fill", "answer"]
        if compare:
            groups, names = COMPARED_GROUPS, ["aggregate", "compare"]
        for name in names:
            command = [sys.executable, "-m", "bench.feature_state", "--stage", name]
            subprocess.run([*command, "--groups", str(groups), "--folder", place], check=False)


class FileTopic:
    """A topic of features in a file: what an aggregator writes, and reads back."""

    def __init__(self, path: Path, table: FeatureTable | None = None) -> None:
        self._file: BinaryIO = path.open("ab")
        self._table = table
        self._offset = 0 if table is None else table.offset
        self._waiting: list[Record] = []

    def commit(self, records: Iterator[ProducerRecord]) -> None:
        """Write records, which arrive at once."""
        for one in records:
            key, value = one.key or b"", one.value or b""
            self._file.write(LENGTHS.pack(len(key), len(value)) + key + value)
            self._waiting.append(Record(one.topic, 0, self._offset, key, one.value))
            self._offset += 1

    def advance(self, *, wait: bool) -> None:  # noqa: ARG002 - the port's name
        """Apply what has arrived."""
        if self._table is not None and self._waiting:
            self._table.apply(self._waiting)
            self._waiting = []

    def catch_up(self) -> None:
        """Apply what has arrived."""
        self.advance(wait=False)

    def close(self) -> None:
        """Write the file to its end."""
        self._file.close()


def read_topic(path: Path) -> Iterator[Record]:
    """Yield the records of a file."""
    with path.open("rb") as file:
        offset = 0
        while head := file.read(LENGTHS.size):
            key, value = LENGTHS.unpack(head)
            yield Record(TOPICS.features, 0, offset, file.read(key), file.read(value) or None)
            offset += 1


def requests(groups: int) -> Iterator[list[Record]]:
    """Yield batches of the predictions of all users, in the order of time."""
    random, kind = Random(1), ((Header.KIND, KIND_PREDICTION),)
    for first in range(0, groups, BATCH):
        time = START_MS + first * 24 * HOUR_MS // groups
        batch = []
        for user in range(first, min(first + BATCH, groups)):
            row = {"amount": random.random()}
            content = {"id": f"r{user}", "features": row, "event_time": time}
            value = msgspec.json.encode(content)
            batch.append(Record(TOPICS.predictions, 0, user, b"user-%d" % user, value, kind, time))
        yield batch


def open_counts(folder: Path) -> tuple[FeatureTable, FileTopic, AggregateHandler]:
    """Open an aggregator's copy, and return its handler."""
    table = open_table(folder / "aggregator", ByOwner(), TopicState("bench", 0, 2**60))
    topic = FileTopic(folder / "topic", table)
    handler = AggregateHandler(
        FEATURES,
        EventDecoder(TOPICS, FEATURES),
        CODEC,
        CountsOnDisk(FEATURES, CODEC, table, topic),
        lambda _: 0,
        Bounds(HOUR_MS, 2**60),
    )
    return table, topic, handler


def aggregate(folder: Path, groups: int) -> None:
    """Count the requests of all users, and die by SIGKILL."""
    say("before", **memory())
    _, topic, handler = open_counts(folder)
    started, busy, count = perf_counter(), process_time(), 0
    for batch in requests(groups):
        topic.commit(iter(handler(batch).records))
        count += len(batch)
        if count % REPORT_EVERY == 0 or count == groups:
            rate = count / (perf_counter() - started)
            cpu = (process_time() - busy) / count * 1e6
            shown = {"users": f"{count:,}", "per_second": f"{rate:,.0f}", "cpu_us": f"{cpu:.0f}"}
            say("aggregator", **shown, **memory(), disk_mib=disk(folder / "aggregator"))
    topic.close()
    os.kill(os.getpid(), signal.SIGKILL)


def recover(folder: Path, groups: int) -> None:
    """Open the copy of a killed aggregator, and read the rest of the topic."""
    started = perf_counter()
    table, topic, handler = open_counts(folder)
    opened = perf_counter() - started
    missing = list(islice(read_topic(folder / "topic"), table.offset, None))
    started = perf_counter()
    table.apply(missing)
    list(handler.begin({TopicPartition(TOPICS.predictions, 0): groups}))
    taken = f"{opened + perf_counter() - started:.2f}"
    say("opened after SIGKILL", seconds=taken, records_read=len(missing), **memory())
    topic.close()
    table.close()


def fill(folder: Path, _groups: int) -> None:
    """Fill a worker's copy from the topic, and die by SIGKILL."""
    table = open_table(folder / "worker", ByGroup(), TopicState("bench", 0, 2**60))
    records, started = read_topic(folder / "topic"), perf_counter()
    while batch := list(islice(records, 1000)):
        table.apply(batch)
    rate = f"{table.offset / (perf_counter() - started):,.0f}"
    shown = {"records": f"{table.offset:,}", "per_second": rate}
    say("worker filled", **shown, **memory(), disk_mib=disk(folder / "worker"))
    os.kill(os.getpid(), signal.SIGKILL)


def answer(folder: Path, groups: int) -> None:
    """Open the copy of a killed worker, and read the features of batches."""
    started = perf_counter()
    table = open_table(folder / "worker", ByGroup(), TopicState("bench", 0, 2**60))
    taken = perf_counter() - started
    cache = GroupCache(FEATURES)
    served = ServedFeatures(FEATURES, CODEC, cache)
    times, busy = [], []
    for number in range(WORKER_BATCHES):
        begin, cpu = perf_counter(), process_time()
        cache.move_to(table.view(), keep=True)
        ask(served, number, groups)
        cache.trim()
        times.append((perf_counter() - begin) / BATCH * 1e6)
        busy.append((process_time() - cpu) / BATCH * 1e6)
    cost = {"us": f"{median(times[WARM_UP:]):.0f}", "cpu_us": f"{median(busy[WARM_UP:]):.0f}"}
    say("worker opened", seconds=f"{taken:.2f}")
    say("a request", **cost, **memory())
    cache.release()
    table.close()


def compare_stores(folder: Path, groups: int) -> None:
    """Apply the same updates and read the features of the same batches in memory and on disk."""
    in_memory = ServedFeatures(FEATURES, CODEC)
    table = open_table(folder / "worker", ByGroup(), TopicState("bench", 0, 2**60))
    records = read_topic(folder / "topic")
    updates: dict[str, list[float]] = {"memory": [], "disk": []}
    while batch := list(islice(records, 1000)):
        for name, apply in (("memory", in_memory.apply), ("disk", table.apply)):
            begin = process_time()
            apply(batch)
            updates[name].append((process_time() - begin) / len(batch) * 1e6)
    for name, found in updates.items():
        say(f"{name}, an update", cpu_us=f"{median(found):.1f}")
    cache = GroupCache(FEATURES)
    on_disk = ServedFeatures(FEATURES, CODEC, cache)
    cache.move_to(table.view(), keep=True)
    costs: dict[str, list[float]] = {"memory": [], "disk": []}
    for number in range(WORKER_BATCHES):
        for name, served in (("memory", in_memory), ("disk", on_disk)):
            begin = process_time()
            ask(served, number, groups)
            costs[name].append((process_time() - begin) / BATCH * 1e6)
    for name, found in costs.items():
        say(f"{name}, a request", cpu_us=f"{median(found[WARM_UP:]):.1f}")
    cache.release()
    table.close()


STAGES = {
    "aggregate": aggregate,
    "recover": recover,
    "fill": fill,
    "answer": answer,
    "compare": compare_stores,
}


def ask(served: ServedFeatures, number: int, groups: int) -> None:
    """Read the features of a batch of users, of whom half are new."""
    random = Random(number)
    keys = [b"user-%d" % random.randrange(2 * groups) for _ in range(BATCH)]
    origins = RowOrigins([START_MS + 23 * HOUR_MS] * BATCH, lambda: keys)
    served.of_columns(FEATURES.names, {}, origins)


def memory() -> dict[str, int]:
    """Return the resident memory of this process in MiB, now and at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {"rss_mib": "VmRSS", "at_most": "VmHWM"}
    return {name: int(fields[field].split()[0]) // 1024 for name, field in names.items()}


def disk(folder: Path) -> int:
    """Return the MiB of a copy's files."""
    return folder_size(folder / "db") // MIB


def say(text: str, **values: object) -> None:
    """Print a line of figures."""
    sys.stdout.write(f"{text:<22}{', '.join(f'{k} {v}' for k, v in values.items())}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
