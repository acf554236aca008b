"""Kafka's jars by their Maven coordinates, fetched once by jgo and cached in the home folder."""

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

from modstream.errors import JarsUnavailable, NoSpace

# Newer ones lose markers of transactions when they start: docs/adr/0007.
KAFKA = "org.apache.kafka:kafka_2.13:4.0.2"
# Kafka's own coordinates bring no backend for its log; this one writes to stderr, without files.
LOGGING = "org.slf4j:slf4j-simple:1.7.36"
COORDINATES = f"{KAFKA}+{LOGGING}"
SPACE_NEEDED = 1_000_000_000


def jars() -> list[Path]:
    """Return Kafka's jars; the first time takes the network and 6-15 s for 45 MB.

    Raises:
        JarsUnavailable: they are neither cached nor to be fetched, or one is damaged.
    """
    try:
        with _alone():
            found: list[Path] = jgo.build(COORDINATES).all_jars
    except Exception as error:  # jgo has no error tree: it lets any library's error through
        raise JarsUnavailable(KAFKA, _first_line(error)) from error
    require_whole(found)
    return found


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for other processes: two that fill jgo's cache at once trip over each other's files."""
    cache = Path(GlobalSettings.load().cache_dir)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "modstream.lock").open("w")
    except OSError:  # Nobody fills a cache that cannot be written.
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached() -> bool:
    """Whether jgo's cache holds the jars, so that no network is needed; asks nobody."""
    group, artifact, version = KAFKA.split(":")
    environments = Path(GlobalSettings.load().cache_dir, "envs", *group.split("."), artifact)
    main_jar = f"{artifact}-{version}.jar"
    return any(
        any(environment.rglob(main_jar)) and any(environment.rglob("slf4j-simple-*.jar"))
        for environment in environments.glob("*")
    )


def registry_answers(timeout: float = 3.0) -> bool:
    """Whether the Maven registry gives any answer within `timeout` seconds."""
    request = urllib.request.Request(MAVEN_CENTRAL_URL, method="HEAD")  # noqa: S310 - jgo's https
    # urlopen would go on using the proxies of the environment that its first call found.
    fresh = urllib.request.build_opener()
    try:
        fresh.open(request, timeout=timeout).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def require_whole(found: Sequence[Path]) -> None:
    """Raise JarsUnavailable for a jar cut short, which an interrupted fetch leaves for good."""
    broken = next((jar for jar in found if not zipfile.is_zipfile(jar)), None)
    if broken is not None:
        caches = GlobalSettings.load()
        places = f"{caches.cache_dir} and {caches.repo_cache}"
        raise JarsUnavailable(KAFKA, f"{broken.name} is damaged, remove it under {places}")


def require_space(folder: Path) -> None:
    """Raise NoSpace unless the disk under an existing folder has room for a broker."""
    free = shutil.disk_usage(folder).free
    if free < SPACE_NEEDED:
        raise NoSpace(folder, free, SPACE_NEEDED)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
