"""RocksDB behind a small interface: ordered keys, atomic batches, typed errors.

https://github.com/facebook/rocksdb/wiki: a batch is in the write-ahead log or it is not, and after
a crash of the machine the log ends with a batch that was written earlier. So what is read after any
crash is what some `write` has left.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    RdictIter,
    SliceTransform,
    WriteBatch,
    WriteBufferManager,
)

from modstream.processors.errors import StateDamaged, StateInUse, StateUnusable

MIB = 1024 * 1024
CACHE_BYTES = 64 * MIB
"""Memory of all databases of a process for blocks, indices, filters and unwritten batches."""
BUFFER_BYTES = 32 * MIB
"""How much of it unwritten batches may need."""
MEMTABLE_BYTES = 8 * MIB
"""Unwritten batches of one database: beyond this they become a file. A start reads at most twice
as much from the log."""
BLOCK_BYTES = 8 * 1024
FILTER_BITS = 10
"""Bits of a key in the filters: 1% of the keys that are not there are looked for in a file."""
MAX_OPEN_FILES = 200
MARKS_OF_DAMAGE = ("Corruption", "Invalid argument", "Not implemented")
"""How RocksDB's messages begin if it cannot make sense of its files."""


Batch = WriteBatch
"""Changes that are written together."""


class SharedMemory:
    """The memory that the databases of a process share."""

    def __init__(self, cache_bytes: int = CACHE_BYTES, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._cache = Cache(cache_bytes)
        self._buffers = WriteBufferManager.new_write_buffer_manager_with_cache(
            buffer_bytes, allow_stall=False, cache=self._cache
        )

    def options(self, prefix_bytes: int = 0) -> Options:
        """Return the options of one database.

        Args:
            prefix_bytes: the filters also know the keys' first bytes, so many of them; then scans
                begin with a whole prefix, and end with it.
        """
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self._cache)
        blocks.set_block_size(BLOCK_BYTES)
        blocks.set_bloom_filter(FILTER_BITS, block_based=False)
        blocks.set_cache_index_and_filter_blocks(True)
        blocks.set_index_type(BlockBasedIndexType.two_level_index_search())
        blocks.set_partition_filters(True)
        blocks.set_format_version(5)
        options = Options(raw_mode=True)
        if prefix_bytes:
            options.set_prefix_extractor(SliceTransform.create_fixed_prefix(prefix_bytes))
        options.create_if_missing(True)
        options.set_block_based_table_factory(blocks)
        options.set_write_buffer_manager(self._buffers)
        options.set_write_buffer_size(MEMTABLE_BYTES)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_level_compaction_dynamic_level_bytes(True)
        options.set_max_background_jobs(2)
        options.set_max_open_files(MAX_OPEN_FILES)
        options.set_keep_log_file_num(2)
        options.set_max_log_file_size(MIB)
        return options


class DatabaseView:
    """A database as it was at a moment, whatever is written later; it keeps the files of then."""

    def __init__(self, folder: Path, rows: RdictIter) -> None:
        self._folder = folder
        self._rows = rows

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield all keys with a prefix, and their values, in order."""
        rows = self._rows
        try:
            rows.seek(prefix)
            while rows.valid() and (key := rows.key()).startswith(prefix):
                yield key, rows.value()
                rows.next()
            rows.status()
        except Exception as error:
            raise translate(self._folder, error) from error


class Database:
    """An open RocksDB in a folder. Threads may use it at the same time.

    Raises:
        StateInUse: another process has it open.
        StateDamaged: its files are damaged.
        StateUnusable: its files cannot be read or written.
    """

    def __init__(self, folder: Path, memory: SharedMemory, prefix_bytes: int = 0) -> None:
        self._folder = folder
        with self._translated():
            self._db = Rdict(str(folder), memory.options(prefix_bytes))

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:
            raise translate(self._folder, error) from error
        return value

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key."""
        with self._translated():
            return list(self._db.get([*keys]) or ())

    def view(self) -> DatabaseView:
        """Return the database as it is now."""
        with self._translated():
            return DatabaseView(self._folder, self._db.iter())

    def count(self) -> int:
        """Return an estimate of the number of keys; it is too high after many overwrites."""
        with self._translated():
            return self._db.property_int_value("rocksdb.estimate-num-keys") or 0

    def between(self, start: bytes, end: bytes, limit: int) -> list[bytes]:
        """Return the next keys in order, from `start` to before `end`, at most `limit`."""
        found: list[bytes] = []
        with self._translated():
            rows = self._db.iter()
            rows.seek(start)
            while len(found) < limit and rows.valid() and (key := rows.key()) < end:
                found.append(key)
                rows.next()
            rows.status()
        return found

    def keys(self, prefix: bytes, start: bytes, limit: int) -> list[bytes]:
        """Return the next keys with a prefix, without it, in order.

        Args:
            prefix: one byte.
            start: the first one is not smaller than this.
            limit: maximum number of keys.
        """
        found: list[bytes] = []
        with self._translated():
            rows = self._db.iter()
            rows.seek(prefix + start)
            while len(found) < limit and rows.valid() and rows.key().startswith(prefix):
                found.append(rows.key()[1:])
                rows.next()
            rows.status()
        return found

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield all keys with a prefix, without it, and their values."""
        rows = self._db.iter()
        rows.seek(prefix)
        while rows.valid() and rows.key().startswith(prefix):
            yield rows.key()[1:], rows.value()
            rows.next()

    def write(self, batch: WriteBatch) -> None:
        """Write a batch: all of it, or nothing."""
        with self._translated():
            self._db.write(batch)

    def size(self) -> int:
        """Return the bytes of all files."""
        return folder_size(self._folder)

    def close(self) -> None:
        """Close the files; what was written is kept."""
        with self._translated():
            self._db.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise translate(self._folder, error) from error


def new_batch() -> WriteBatch:
    """Return an empty batch."""
    return WriteBatch(raw_mode=True)


def folder_size(folder: Path) -> int:
    """Return the bytes of the files in a folder; those that are being removed do not count."""
    total = 0
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                total += path.stat().st_size
    return total


def translate(folder: Path, error: Exception) -> StateUnusable:
    """Return this room's error for one of RocksDB, which has no classes of its own."""
    reason = str(error) or type(error).__name__
    if "lock" in reason.lower() and "LOCK" in reason:
        return StateInUse(folder)
    if reason.startswith(MARKS_OF_DAMAGE) or "No such file" in reason:
        return StateDamaged(folder, reason)
    return StateUnusable(folder, reason)
