"""The page by which a worker shows, to whoever stops it, whether it is inside a delivery."""

import mmap
import os
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from modstream.broker.client.delivery import Deliver
from modstream.broker.wire.records import Outgoing, Record

LAYOUT = struct.Struct("<IIQ")
"""Process id, phase, deliveries begun: what a page holds."""
IDLE, DELIVERING = 0, 1


class Phase(NamedTuple):
    """What a page says: of which process, whether it delivers, how many it has begun."""

    pid: int
    is_delivering: bool
    deliveries: int


class Page:
    """A file of a few bytes that both sides map; it outlives the death of its writer."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(LAYOUT.size)
            self._bytes = mmap.mmap(file.fileno(), LAYOUT.size)

    def write(self, phase: int, deliveries: int) -> None:
        """Show this process's phase."""
        LAYOUT.pack_into(self._bytes, 0, os.getpid(), phase, deliveries)

    def read(self) -> Phase:
        """Read the phase; true for as long as its writer is stopped."""
        pid, phase, deliveries = LAYOUT.unpack_from(self._bytes)
        return Phase(pid, phase == DELIVERING, deliveries)


@cache
def page_at(path: Path) -> Page:
    """The page of that file, mapped once: who waits for a phase looks a thousand times a second."""
    return Page(path)


class Watched:
    """A delivery that shows on its page when it is between begin and the end of commit."""

    def __init__(self, deliver: Deliver, page: Page) -> None:
        self._deliver = deliver
        self._page = page
        self._deliveries = 0
        page.write(IDLE, 0)

    def __call__(self, outgoing: Iterable[Outgoing], batch: Sequence[Record]) -> None:
        self._deliveries += 1
        self._page.write(DELIVERING, self._deliveries)
        try:
            self._deliver(outgoing, batch)
        finally:
            self._page.write(IDLE, self._deliveries)

    def close(self) -> None:
        self._deliver.close()
