"""RocksDB and LMDB, bare, with the joiner's way of reading and writing: the figures of ADR 37."""

from pathlib import Path


def compare_engines(folder: Path, entries: int) -> None:
    """To be written."""
