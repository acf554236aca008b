"""Count the modules and threads that a request, a label and a version pass through.

    python bench/walks.py [CHECKOUT]

Runs `modstream up` from a checkout, by default this one, with a profiler in every process. The
profiler records which of the checkout's modules have a function called while a request is answered
(worker), while labels are joined and learned (joiner, learner), and while a published version is
loaded (worker's model cache). Threads that only watch the process are left out.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.wire.topics import Topics

PROFILER = """
import json, os, signal, sys, threading
role = next((r for r in ("worker", "joiner", "learner") if r in sys.orig_argv), None)
if role and "modstream" in sys.orig_argv:
    calls, recording = {}, [False]
    def profile(frame, event, argument):
        if recording[0] and event == "call":
            name = threading.current_thread().name
            calls.setdefault(name, set()).add(frame.f_code.co_filename)
    def begin(number, frame):
        calls.clear()
        recording[0] = True
    def dump(number, frame):
        recording[0] = False
        found = {name: sorted(files) for name, files in list(calls.items())}
        path = os.path.join(os.environ["WALKS_FOLDER"], role + ".json")
        with open(path + ".part", "w") as file:
            json.dump(found, file)
        os.replace(path + ".part", path)
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, dump)
    threading.setprofile(profile)
    sys.setprofile(profile)
"""
ROOMS = ("broker", "models", "processors", "producers", "modstream")
CACHE_THREADS = ("shelf", "model-cache", "model cache")
WATCHING_THREADS = (*CACHE_THREADS, "stall", "watchdog", "stall-watchdog")
LABELS = 40
TIMEOUT_S = 60.0


class Run:
    """A local stack that runs from a checkout, with its processes profiled."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.checkout, self.folder = checkout, folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if "MODSTREAM" not in name},
            "PYTHONPATH": f"{folder}:{checkout}",
            "WALKS_FOLDER": str(folder),
            "MODSTREAM_ROUTE": '["online"]',
            "MODSTREAM_HOME": str(folder / "home"),
        }

    def command(self, *arguments: str, text: str = "") -> str:
        """Run a modstream command to its end, and return what it prints."""
        argv = [sys.executable, "-m", "modstream", *arguments]
        return subprocess.run(
            argv,
            cwd=self.folder,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    @contextmanager
    def stack(self) -> Iterator[psutil.Process]:
        """Run the stack, and return the supervising process."""
        argv = [sys.executable, "-m", "modstream", "up", "--learner", "online"]
        with subprocess.Popen(
            argv, cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, text=True
        ) as up:
            try:
                next(line for line in up.stderr or () if "Ctrl-C" in line)
                yield psutil.Process(up.pid)
            finally:
                up.terminate()

    def record(
        self, up: psutil.Process, roles: tuple[str, ...], act: Callable[[], None]
    ) -> dict[str, set[str]]:
        """Return the modules that are called by each thread of some processes during an act."""
        processes = [p for p in up.children() if set(roles) & set(p.cmdline())]
        for process in processes:
            process.send_signal(signal.SIGUSR1)
        act()
        found: dict[str, set[str]] = {}
        for process, role in zip(processes, roles, strict=True):
            process.send_signal(signal.SIGUSR2)
            path = self.folder / f"{role}.json"
            wait_until(path.exists)
            for thread, files in json.loads(path.read_text()).items():
                found[f"{role}:{thread}"] = set(filter(None, map(self._module, files)))
            path.unlink()
        return found

    def _module(self, file: str) -> str:
        path = Path(os.path.realpath(file))
        if not path.is_relative_to(self.checkout):
            return ""
        relative = str(path.relative_to(self.checkout))
        return relative if relative.startswith(ROOMS) and "__init__" not in relative else ""


def wait_until(condition: Callable[[], object]) -> None:
    """Poll a condition until it holds.

    Raises:
        TimeoutError: it did not hold within the timeout.
    """
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(str(condition))
        time.sleep(0.05)


def example_row(features: list[dict[str, Any]]) -> dict[str, object]:
    """Return a row with a plausible value for each feature."""
    values: dict[str, object] = {"float": 1.0, "int": 1, "bool": True, "string": "UA"}
    return {feature["name"]: values[feature["kind"]] for feature in features}


def main(checkout: Path) -> None:
    """Record the three walks and print them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sitecustomize.py").write_text(PROFILER)
        run = Run(checkout.resolve(), folder)
        with run.stack() as up:
            running = json.loads((folder / "home" / "running.json").read_text())
            run.command("models", "seed")
            card = json.loads(run.command("models", "show", "online", "--json"))
            row = example_row(card["input_schema"]["features"])
            topics = Topics("flights")
            connection = Connection(running["bootstrap"])
            with Reader(connection, [topics.predictions, topics.model_events], "end") as reader:
                walks = record_walks(run, up, reader, row)
    print_walks(walks)


def record_walks(
    run: Run, up: psutil.Process, reader: Reader, row: dict[str, object]
) -> dict[str, dict[str, set[str]]]:
    """Send requests and labels, publish a version, and record what happens."""
    published = 0

    def ask(ids: list[str]) -> None:
        lines = [json.dumps({"id": one, "features": row, "event_time": 1}) for one in ids]
        run.command("produce", text="\n".join(lines))
        left = set(ids)
        while left:
            for record in reader.poll(timeout=0.5):
                left -= {one for one in left if f'"id":"{one}"'.encode() in (record.value or b"")}

    def label(ids: list[str]) -> None:
        nonlocal published
        lines = [json.dumps({"id": one, "label": True, "event_time": 2}) for one in ids]
        run.command("produce", "--to", "labels", text="\n".join(lines))
        events = 0
        while not events:
            records = reader.poll(timeout=0.5)
            events = sum(b'"action":"publish"' in (record.value or b"") for record in records)
        published += events

    warm = [f"warm-{number}" for number in range(LABELS)]
    ask(warm)
    label(warm)
    ids = [f"request-{number}" for number in range(LABELS)]
    walks = {"request": run.record(up, ("worker",), lambda: ask(ids))}
    walks["label"] = run.record(up, ("joiner", "learner"), lambda: label(ids))
    more = [f"more-{number}" for number in range(LABELS)]
    ask(more)
    walks["version"] = run.record(up, ("worker",), lambda: label(more))
    for name in ("request", "label"):
        walks[name] = {t: m for t, m in walks[name].items() if not is_named(t, WATCHING_THREADS)}
    walks["version"] = {t: m for t, m in walks["version"].items() if is_named(t, CACHE_THREADS)}
    return walks


def is_named(thread: str, names: tuple[str, ...]) -> bool:
    """Return whether a thread has one of these names."""
    return thread.partition(":")[2].startswith(names)


def print_walks(walks: dict[str, dict[str, set[str]]]) -> None:
    """Print the counts, then the modules of each thread."""
    console = Console()
    table = Table("walk", "modules", "packages", "threads")
    for walk, threads in walks.items():
        modules = set().union(*threads.values())
        packages = {str(Path(module).parent) for module in modules}
        busy = [name for name, found in threads.items() if found]
        table.add_row(walk, str(len(modules)), str(len(packages)), ", ".join(sorted(busy)))
    console.print(table)
    for walk, threads in walks.items():
        for thread, modules in sorted(threads.items()):
            console.print(f"{walk}, {thread}: {', '.join(sorted(modules))}", highlight=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
