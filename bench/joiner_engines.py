"""RocksDB and LMDB, bare, with the joiner's accesses: the figures of ADR 40.

LMDB is not a dependency: `uv pip install lmdb`.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from hashlib import md5
from itertools import islice
from pathlib import Path
from random import Random
from struct import pack
from time import perf_counter
from typing import Protocol

from modstream.processors.storage.database import Database, SharedMemory, folder_size, new_batch

BATCH = 500
VALUE_BYTES = 650
GETS = 50_000
STEADY_ROUNDS = 100
MAP_BYTES = 200 * 1024**3
Pairs = Sequence[tuple[bytes, bytes]]


class Engine(Protocol):
    """An ordered store of keys and values."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key."""

    def scan(self, start: bytes, count: int) -> list[bytes]:
        """Return the next keys."""

    def write(self, puts: Pairs, deletes: Iterable[bytes]) -> None:
        """Write a batch."""


class RocksEngine:
    """RocksDB as the joiner opens it."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "rocksdb", SharedMemory())
        self.get = self._database.get

    def scan(self, start: bytes, count: int) -> list[bytes]:
        """Return the next keys."""
        return [start[:1] + key for key in self._database.keys(start[:1], start[1:], count)]

    def write(self, puts: Pairs, deletes: Iterable[bytes]) -> None:
        """Write a batch."""
        batch = new_batch()
        for key, value in puts:
            batch.put(key, value)
        for key in deletes:
            batch.delete(key)
        self._database.write(batch)


class LmdbEngine:
    """LMDB without a sync for each batch, as RocksDB."""

    def __init__(self, folder: Path) -> None:
        import lmdb  # noqa: PLC0415 - only this measurement needs it

        path = folder / "lmdb"
        path.mkdir()
        self._open = lmdb.open(str(path), map_size=MAP_BYTES, sync=False, readahead=False)

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key."""
        with self._open.begin() as reading:
            value: bytes | None = reading.get(key)
            return value

    def scan(self, start: bytes, count: int) -> list[bytes]:
        """Return the next keys."""
        with self._open.begin() as reading:
            cursor = reading.cursor()
            found = cursor.set_range(start)
            return list(islice(cursor.iternext(values=False), count)) if found else []

    def write(self, puts: Pairs, deletes: Iterable[bytes]) -> None:
        """Write a batch."""
        with self._open.begin(write=True) as writing:
            for key, value in puts:
                writing.put(key, value)
            for key in deletes:
                writing.delete(key)


def compare_engines(folder: Path, entries: int) -> None:
    """Print the figures of both."""
    for name, kind in (("RocksDB", RocksEngine), ("LMDB", LmdbEngine)):
        engine: Engine = kind(folder)
        measured = list(_measure(engine, entries))
        size = sum(folder_size(path) for path in (folder / name.lower(),))
        status = Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]
        figures = ", ".join(f"{what} {value:,.1f}" for what, value in measured)
        sys.stdout.write(f"{name}: {figures}, rss_mib {int(status) // 1024}, mib {size >> 20:,}\n")
        sys.stdout.flush()


def _measure(engine: Engine, entries: int) -> Iterable[tuple[str, float]]:
    random = Random(1)
    filler = random.randbytes(VALUE_BYTES // 2).hex().encode()

    def insert(numbers: Iterable[int], deletes: Iterable[bytes] = ()) -> None:
        for number in numbers:
            engine.get(_entry(number))
        puts = [
            pair
            for number in numbers
            for pair in ((_entry(number), filler), (_due(number), b""), (_age(number), b""))
        ]
        engine.write(puts, deletes)

    def each(action: Callable[[int], object], numbers: Iterable[int]) -> float:
        started = perf_counter()
        count = sum(1 for number in numbers if action(number) is not ...)
        return (perf_counter() - started) / count * 1e6

    yield "insert_us", each(lambda n: insert(range(n, n + BATCH)), range(0, entries, BATCH)) / BATCH
    known = [random.randrange(entries) for _ in range(GETS)]
    yield "get_us", each(lambda n: engine.get(_entry(n)), known)
    yield "get_absent_us", each(lambda n: engine.get(_entry(n + entries)), known)

    def steady(number: int) -> None:
        labelled = [random.randrange(number, entries) for _ in range(BATCH)]
        due = engine.scan(_due(number), BATCH)
        for one in labelled:
            engine.get(_entry(one))
        for row in due:
            engine.get(b"e" + row[9:])
        engine.write([(_entry(one), filler) for one in labelled], ())
        gone = [key for n in range(number, number + BATCH) for key in (_entry(n), _due(n), _age(n))]
        insert(range(entries + number, entries + number + BATCH), gone)

    rounds = range(0, min(STEADY_ROUNDS * BATCH, entries // 2), BATCH)
    yield "insert_label_expire_us", each(steady, rounds) / BATCH


def _entry(number: int) -> bytes:
    return b"e" + md5(pack(">q", number), usedforsecurity=False).hexdigest().encode()


def _due(number: int) -> bytes:
    return b"d" + pack(">q", number) + _entry(number)[1:]


def _age(number: int) -> bytes:
    return b"a" + pack(">q", number)
