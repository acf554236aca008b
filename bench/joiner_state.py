"""What the joiner's state needs on disk and in memory, and what it costs beside state in memory.

    python -m bench.joiner_state                             # 2 million open entries
    python -m bench.joiner_state --entries 20000000          # about 16 GB on disk
    python -m bench.joiner_state --compare                   # records a second, disk and memory
    python -m bench.joiner_state --engines                   # RocksDB and LMDB, bare

Entries are those of requests that two models have answered, with ten features and no label yet.
They are loaded as the joiner loads them from its changelog, in four partitions. Then the joiner's
own code processes predictions, late labels of random entries and expiries; then the process is
killed, and another one opens the stores. `--compare` lets a store in memory and one on disk take
turns at the same records; the ratio is of CPU times, which other processes affect least.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Annotated

import typer

from bench.joiner_engines import compare_engines
from bench.joiner_feed import Feed
from modstream.processors.join.disk.stores import DiskStores
from modstream.processors.join.settings import JoinerSettings
from modstream.processors.storage.database import folder_size

PARTITIONS = 4
BATCH = 500
REPORT_EVERY = 1_000_000
"""Number of entries loaded between two lines."""
STEADY_ROUNDS = 50
"""Number of batches of predictions and labels in each partition after that."""
COMPARED_ROUNDS = 40
COMPARED_RUNS = 5
COMPARED_ENTRIES = 100_000
MIB = 1024 * 1024


def main(
    *,
    entries: Annotated[int, typer.Option(help="Number of open entries.")] = 2_000_000,
    folder: Annotated[Path | None, typer.Option(help="Where the stores are; kept.")] = None,
    minutes: Annotated[float, typer.Option(help="Loads no longer than this.")] = 60.0,
    compare: Annotated[bool, typer.Option("--compare", help="Disk beside memory.")] = False,
    engines: Annotated[bool, typer.Option("--engines", help="RocksDB beside LMDB.")] = False,
    stage: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Measure the joiner's state."""
    with TemporaryDirectory(dir=folder) as temporary:
        place = folder if stage and folder is not None else Path(temporary)
        if engines:
            compare_engines(place, entries)
        elif compare:
            compare_stores(place)
        elif stage == "load":
            load(place, entries, minutes * 60)
        elif stage == "reopen":
            reopen(place, entries)
        elif stage:
            measure_store(place, stage)
        else:
            for name in ("load", "reopen"):
                command = [sys.executable, "-m", "bench.joiner_state", "--stage", name]
                options = ["--entries", str(entries), "--minutes", str(minutes)]
                subprocess.run([*command, *options, "--folder", place], check=False)


def stores_in(folder: Path, entries: int) -> DiskStores:
    """Return stores whose oldest entries expire when new ones come."""
    limits = JoinerSettings().limits
    return DiskStores(folder / "stores", "bench", entries // PARTITIONS, limits)


def load(folder: Path, entries: int, seconds: float) -> None:
    """Load entries, for so long at most, join late labels, and die by SIGKILL."""
    say("before", **rss())
    with stores_in(folder, entries) as stores:
        feeds = [Feed(n, entries // PARTITIONS, stores.open(n)) for n in range(PARTITIONS)]
        batches = entries // BATCH // PARTITIONS
        started, random = perf_counter(), Random(1)
        peak = 0
        for number in range(batches):
            for feed in feeds:
                feed.load(BATCH, random)
            count = (number + 1) * BATCH * PARTITIONS
            is_last = number + 1 == batches or perf_counter() - started > seconds
            if is_last or count % REPORT_EVERY == 0:
                rate = count / (perf_counter() - started)
                peak = max(peak, rss()["rss_mib"])
                say("loaded", entries=f"{count:,}", per_second=f"{rate:,.0f}", **figures(folder))
            if is_last:
                break
        started, busy = perf_counter(), process_time()
        for _ in range(STEADY_ROUNDS):
            for feed in feeds:
                feed.predict(BATCH // 2, random)
                feed.label(BATCH // 2, random)
            peak = max(peak, rss()["rss_mib"])
        records = STEADY_ROUNDS * PARTITIONS * BATCH * 3 // 2
        cpu = process_time() - busy
        speed = f"{records / (perf_counter() - started):,.0f}"
        per_record = f"{cpu / records * 1e6:.0f}"
        say("joined late labels", records_per_second=speed, cpu_us=per_record, **figures(folder))
        opened = [feed.join.open_count for feed in feeds]
        say("at most", rss_mib=peak, open_entries=f"{sum(opened):,}")
        os.kill(os.getpid(), signal.SIGKILL)


def reopen(folder: Path, entries: int) -> None:
    """Open the stores of a killed process, and look for what is due."""
    started = perf_counter()
    with stores_in(folder, entries) as stores:
        feeds = [Feed(n, entries // PARTITIONS, stores.open(n)) for n in range(PARTITIONS)]
        for feed in feeds:
            feed.join.advance_time(())
        opened = sum(feed.join.open_count for feed in feeds)
        taken = f"{perf_counter() - started:.2f}"
        say("opened after SIGKILL", seconds=taken, open_entries=f"{opened:,}", **figures(folder))
        for feed in feeds:
            feed.join.store.close()


def compare_stores(folder: Path) -> None:
    """Let processes with a store in memory and on disk take turns; print the ratio of medians."""
    rates: dict[str, list[float]] = {"memory": [], "disk": []}
    for number in range(COMPARED_RUNS):
        for name in sorted(rates, reverse=bool(number % 2)):
            place = folder / f"{name}{number}"
            place.mkdir()
            command = [sys.executable, "-m", "bench.joiner_state", "--stage", name]
            done = subprocess.run(
                [*command, "--folder", place], check=True, stdout=subprocess.PIPE, text=True
            )
            rates[name].append(float(done.stdout.split()[-1]))
    for name, found in rates.items():
        say(name, records_per_cpu_second=f"{median(found):,.0f}", runs=[round(x) for x in found])
    ratio = median(rates["disk"]) / median(rates["memory"])
    say("disk / memory", throughput=f"{ratio:.2f}")


def measure_store(folder: Path, kind: str) -> None:
    """Print how many records a store joins in a second of CPU time, that of all threads."""
    with stores_in(folder, COMPARED_ENTRIES * PARTITIONS) as stores:
        feed = Feed(0, COMPARED_ENTRIES, stores.open(0) if kind == "disk" else None)
        random, spent = Random(2), 0.0
        for _ in range(COMPARED_ENTRIES // BATCH):
            feed.load(BATCH, random)
        for _ in range(COMPARED_ROUNDS):
            for records in (feed.predictions(BATCH, random), feed.labels(BATCH, random)):
                started = process_time()
                feed.process(records)
                spent += process_time() - started
    say(kind, records_per_cpu_second=COMPARED_ROUNDS * BATCH * 3 / spent)


def rss() -> dict[str, int]:
    """Return the resident memory of this process in MiB, and the part that no file backs."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {"rss_mib": "VmRSS", "anonymous_mib": "RssAnon"}
    return {name: int(fields[field].split()[0]) // 1024 for name, field in names.items()}


def figures(folder: Path) -> dict[str, object]:
    """Return memory, and disk in MiB."""
    size = sum(folder_size(path) for path in folder.glob("stores/*/*/db"))
    return {**rss(), "disk_mib": f"{size // MIB:,}"}


def say(text: str, **values: object) -> None:
    """Print a line of figures."""
    sys.stdout.write(f"{text:<22}{', '.join(f'{k} {v}' for k, v in values.items())}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
