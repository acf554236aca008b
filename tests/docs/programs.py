"""The programs that the commands of pages call, and processes that run beside them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.docs.blocks import ROOT

END_SECONDS = 120
INSTALLED = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
"""The PATH with the installed programs of this environment."""


def environment_of_pages(path: str = INSTALLED, **settings: str) -> dict[str, str]:
    """Return the environment of commands in a terminal of 80 columns, with these settings only."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MODSTREAM_")}
    return kept | {"PATH": path, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"} | settings


@contextmanager
def forked_programs(folder: Path) -> Iterator[str]:
    """Yield a PATH whose `modstream` and `python` start in milliseconds; see `fork_server.py`."""
    folder.mkdir()
    server = (sys.executable, "-m", "tests.docs.fork_server", str(folder))
    with running(server, ROOT, environment_of_pages(), "ready"):
        yield f"{folder / 'bin'}{os.pathsep}{INSTALLED}"


@contextmanager
def running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], awaited: str
) -> Iterator[str]:
    """Run a command until the context ends; yield what it has printed up to an awaited text."""
    process = subprocess.Popen(
        command, cwd=folder, env=dict(environment), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    printed = ""
    try:
        for line in process.stdout:
            printed += line
            if awaited in line:
                break
        assert awaited in printed, printed
        yield printed
    finally:
        process.terminate()  # a shell may have made it ignore SIGINT
        process.communicate(timeout=END_SECONDS)
