"""Health reports of a service whose work has no deliveries by which it could be watched."""

from dataclasses import dataclass
from threading import Event
from time import monotonic, time
from typing import Self

from modstream.errors import Interrupted
from modstream.process.health import HealthFiles, HealthReport

HEALTH_SECONDS = 5.0
"""Interval between two health reports."""


@dataclass(slots=True)
class Heartbeat:
    """Writes the health report of a process now and then, and raises when it is to stop.

    Attributes:
        files: the health reports of the home directory.
        name: the name of the report, which is removed at the end.
        stop: set when the process is to stop.
    """

    files: HealthFiles
    name: str
    stop: Event
    _due: float = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.files.remove(self.name)

    def check(self) -> None:
        """Report, if that is due.

        Raises:
            Interrupted: `stop` is set.
        """
        if self.stop.is_set():
            raise Interrupted
        if monotonic() >= self._due:
            self._due = monotonic() + HEALTH_SECONDS
            self.files.write(HealthReport(self.name, True, "follows the feedback", None, time()))
