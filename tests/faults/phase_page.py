"""A memory-mapped file in which a process shows whether it is inside a delivery."""

import mmap
import os
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from modstream.broker.loop.ports import Delivery
from modstream.broker.wire.records import ProducerRecord, Record

LAYOUT = struct.Struct("<IIQ")
"""Process id, phase, number of deliveries."""
IDLE, DELIVERING = 0, 1


class Phase(NamedTuple):
    """The state that a process has written: its id, its phase and its number of deliveries."""

    pid: int
    is_delivering: bool
    deliveries: int


class PhasePage:
    """A small file that writer and reader map to memory; it remains when its writer is killed."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(LAYOUT.size)
            self._bytes = mmap.mmap(file.fileno(), LAYOUT.size)

    def write(self, phase: int, deliveries: int) -> None:
        """Write this process's phase."""
        LAYOUT.pack_into(self._bytes, 0, os.getpid(), phase, deliveries)

    def read(self) -> Phase:
        """Read the phase; it stays valid while the writer is stopped."""
        pid, phase, deliveries = LAYOUT.unpack_from(self._bytes)
        return Phase(pid, phase == DELIVERING, deliveries)


@cache
def open_phase_page(path: Path) -> PhasePage:
    """Return the page of a file. It is mapped once, since it is read a thousand times a second."""
    return PhasePage(path)


class PhaseReportingDelivery:
    """A delivery that writes to its page when it is between begin and commit."""

    def __init__(self, deliver: Delivery, page: PhasePage) -> None:
        self._deliver = deliver
        self._page = page
        self._deliveries = 0
        page.write(IDLE, 0)

    def __call__(self, records: Iterable[ProducerRecord], batch: Sequence[Record]) -> None:
        self._deliveries += 1
        self._page.write(DELIVERING, self._deliveries)
        try:
            self._deliver(records, batch)
        finally:
            self._page.write(IDLE, self._deliveries)

    def close(self) -> None:
        self._deliver.close()
