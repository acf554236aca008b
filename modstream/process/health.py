"""Health reports: each service writes a file in the home folder; `modstream health` reads them."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time

STALE_SECONDS = 30.0
"""A report older than this counts as unhealthy: its process may no longer be alive."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The health of one process; `at` is in seconds since the epoch."""

    name: str
    is_healthy: bool
    reason: str
    lag: int | None
    at: float


def ignore_report(_report: HealthReport) -> None:
    """Do nothing: the default observer of reports."""


class HealthFiles:
    """The health reports of all services that run from a home folder, one file each.

    `on_write` is called with each report that this process writes.
    """

    def __init__(
        self, home: Path, on_write: Callable[[HealthReport], None] = ignore_report
    ) -> None:
        self._folder = home / "health"
        self._on_write = on_write

    def write(self, report: HealthReport) -> None:
        """Replace a service's report atomically: readers see the old or the new one."""
        self._on_write(report)
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / f".{report.name}"
        temporary.write_text(json.dumps(asdict(report)))
        temporary.replace(self._folder / f"{report.name}.json")

    def remove(self, name: str) -> None:
        """Remove the report of a service that stops normally."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    def read(self) -> list[HealthReport]:
        """Return all reports, sorted by name; stale ones count as unhealthy."""
        files = self._folder.glob("*.json")
        reports = [HealthReport(**json.loads(file.read_text())) for file in files]
        return sorted(map(_mark_stale, reports), key=lambda report: report.name)


def _mark_stale(report: HealthReport) -> HealthReport:
    age = time() - report.at
    if age <= STALE_SECONDS:
        return report
    reason = f"no report for {age:.0f} s, last: {report.reason}"
    return HealthReport(report.name, False, reason, report.lag, report.at)


def exit_process(code: int) -> None:
    """Exit at once, without cleanup, which stalled threads would block."""
    os._exit(code)
