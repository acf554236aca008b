"""Is a role well? Each tells by a file in the home; `modstream health` reads them."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time

STALE_SECONDS = 30.0
"""A report that is older than this is no news of anybody alive."""


@dataclass(frozen=True, slots=True)
class Report:
    """How one process was at a moment; `at` is in seconds since the epoch."""

    name: str
    healthy: bool
    reason: str
    lag: int | None
    at: float


class Healthbook:
    """The reports of all roles that run from a home, a file each."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "health"

    def write(self, report: Report) -> None:
        """Replace a role's report; a reader sees the old one or the new one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{report.name}"
        draft.write_text(json.dumps(asdict(report)))
        draft.replace(self._folder / f"{report.name}.json")

    def forget(self, name: str) -> None:
        """Remove the report of a role that ends in order."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    def read(self) -> list[Report]:
        """All reports by name; one that is stale counts as unhealthy."""
        found = [Report(**json.loads(file.read_text())) for file in self._folder.glob("*.json")]
        return sorted(map(_aged, found), key=lambda report: report.name)


def _aged(report: Report) -> Report:
    age = time() - report.at
    if age <= STALE_SECONDS:
        return report
    reason = f"no report for {age:.0f} s, last: {report.reason}"
    return Report(report.name, False, reason, report.lag, report.at)


def end_process(code: int) -> None:
    """End at once, without unwinding: what has stalled would not let go of its threads."""
    os._exit(code)
