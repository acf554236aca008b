"""Kafka's jars by their Maven coordinates, downloaded once by jgo and cached in the user's home."""

import fcntl
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jgo
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL

from modstream.errors import JarsUnavailable, NotEnoughDiskSpace

# Newer versions lose transaction markers when they start: docs/adr/0007.
KAFKA_COORDINATES = "org.apache.kafka:kafka_2.13:4.0.2"
# Kafka's coordinates include no logging backend; this one writes to stderr, not to files.
LOGGING_COORDINATES = "org.slf4j:slf4j-simple:1.7.36"
COORDINATES = f"{KAFKA_COORDINATES}+{LOGGING_COORDINATES}"
MIN_FREE_BYTES = 1_000_000_000


def find_jars() -> list[Path]:
    """Return Kafka's jars; the first call downloads 45 MB, which takes 6-15 s.

    Raises:
        JarsUnavailable: they are not cached and cannot be downloaded, or one is damaged.
    """
    try:
        with _cache_lock(), _undo_interrupted_download():
            found: list[Path] = jgo.build(COORDINATES).all_jars
    except Exception as error:  # jgo raises the errors of any library it uses
        raise JarsUnavailable(KAFKA_COORDINATES, _first_line(error)) from error
    require_intact(found)
    return found


@contextmanager
def _cache_lock() -> Iterator[None]:
    """Lock the cache: two processes that fill it at the same time corrupt each other's files."""
    cache = Path(GlobalSettings.load().cache_dir)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "modstream.lock").open("w")
    except OSError:  # A cache that is not writable needs no lock.
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _undo_interrupted_download() -> Iterator[None]:
    """Remove what a download left behind that was killed; jgo takes it for complete.

    A file marks a download while it lasts. Everything that is younger than the mark of an
    interrupted one may be truncated, in jgo's environment and in the repository it fills.
    """
    caches = GlobalSettings.load()
    mark = Path(caches.cache_dir, "modstream-download")
    if mark.exists():
        _remove_since(mark.stat().st_mtime_ns, Path(caches.repo_cache))
    if are_cached():
        yield
        return
    for environment in _environments().glob("*"):
        if not _is_complete(environment):
            shutil.rmtree(environment)
    mark.touch()
    yield
    mark.unlink()


def _remove_since(time_ns: int, folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_mtime_ns >= time_ns:
            path.unlink()


def are_cached() -> bool:
    """Return whether jgo's cache holds all jars; does not access the network."""
    artifact, version = KAFKA_COORDINATES.split(":")[1:]
    main_jar = f"{artifact}-{version}.jar"
    return any(
        _is_complete(environment)
        and any(environment.rglob(main_jar))
        and any(environment.rglob("slf4j-simple-*.jar"))
        for environment in _environments().glob("*")
    )


def _is_complete(environment: Path) -> bool:
    return Path(environment, "jgo.lock.toml").exists()  # the last file that jgo writes


def _environments() -> Path:
    group, artifact, _ = KAFKA_COORDINATES.split(":")
    return Path(GlobalSettings.load().cache_dir, "envs", *group.split("."), artifact)


def registry_answers(timeout: float = 3.0) -> bool:
    """Return whether the Maven registry answers within `timeout` seconds."""
    request = urllib.request.Request(MAVEN_CENTRAL_URL, method="HEAD")  # noqa: S310 - jgo's https
    # urlopen would keep the proxy settings that the environment had at its first call.
    fresh = urllib.request.build_opener()
    try:
        fresh.open(request, timeout=timeout).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def require_intact(found: Sequence[Path]) -> None:
    """Raise JarsUnavailable for a truncated jar, which an interrupted download leaves behind."""
    broken = next((jar for jar in found if not zipfile.is_zipfile(jar)), None)
    if broken is not None:
        caches = GlobalSettings.load()
        folders = f"{caches.cache_dir} and {caches.repo_cache}"
        raise JarsUnavailable(
            KAFKA_COORDINATES, f"{broken.name} is damaged, remove it under {folders}"
        )


def require_space(folder: Path) -> None:
    """Raise NotEnoughDiskSpace unless an existing folder's disk has space for a broker."""
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        raise NotEnoughDiskSpace(folder, free, MIN_FREE_BYTES)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
