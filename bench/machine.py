"""On what, when, and beside what it was measured."""

import os
import platform
from datetime import UTC, datetime
from typing import NamedTuple

import psutil
from confluent_kafka import libversion

from modstream.stack.embedded.jars import KAFKA


class Machine(NamedTuple):
    """A machine at the end of the measuring.

    `load` is the mean number of processes that wanted a processor over the last 15 minutes: well
    above the number of processors it says that others were at work.
    """

    at: datetime
    cores: int
    memory_gib: float
    load: float
    niceness: int

    def __str__(self) -> str:
        return (
            f"{self.at:%Y-%m-%d %H:%M} UTC, {self.cores} processors, {self.memory_gib:.0f} GiB, "
            f"load {self.load:.1f}, niceness {self.niceness}, {platform.machine()}, "
            f"Python {platform.python_version()}, {KAFKA.split(':', 1)[1]}, "
            f"librdkafka {libversion()[0]}"
        )


def machine() -> Machine:
    """This machine, now."""
    return Machine(
        datetime.now(UTC),
        os.cpu_count() or 1,
        psutil.virtual_memory().total / 1024**3,
        os.getloadavg()[2],
        psutil.Process().nice(),
    )
