"""The machine on which the benchmark runs, its versions and its load."""

import os
import platform
from datetime import UTC, datetime
from typing import NamedTuple

import psutil
from confluent_kafka import libversion

from modstream.stack.embedded.jars import KAFKA_COORDINATES


class Machine(NamedTuple):
    """The state of a machine at the end of a measurement.

    `load` is the load average of the last 15 minutes. A load well above `cores` means that other
    processes disturbed the measurement.
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
            f"Python {platform.python_version()}, {KAFKA_COORDINATES.split(':', 1)[1]}, "
            f"librdkafka {libversion()[0]}"
        )


def describe_machine() -> Machine:
    """Return the current state of this machine."""
    return Machine(
        datetime.now(UTC),
        os.cpu_count() or 1,
        psutil.virtual_memory().total / 1024**3,
        os.getloadavg()[2],
        psutil.Process().nice(),
    )
