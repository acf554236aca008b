"""`modstream config`, `modstream doctor` and `modstream health`."""

from pathlib import Path

import typer

from modstream.cli.options import AsJson
from modstream.cli.output import print_json, rows
from modstream.process.health import Healthbook
from modstream.settings import load_settings, running
from modstream.stack.doctor import checks


def config() -> None:
    """Print the settings in force, after environment, file and running stack, as JSON."""
    print_json(load_settings().model_dump(mode="json"))


def doctor(as_json: AsJson = False) -> None:
    """Check what a run stands on; says the way out of whatever is missing."""
    settings = load_settings()
    named = settings.model_fields_set
    found = checks(
        Path(settings.home),
        bootstrap=settings.bootstrap if "bootstrap" in named else "",
        redis_url=settings.redis if "redis" in named else "",
    )
    if running(settings.home) and not as_json:
        typer.echo(f"a stack runs from {settings.home}: Kafka {settings.bootstrap}")
    rows(
        [
            {
                "check": check.name,
                "ok": check.ok if as_json else ("✓" if check.ok else "✗"),
                "found": check.detail,
                "way_out": "" if check.ok else check.way_out,
            }
            for check in found
        ],
        as_json=as_json,
        empty="",
    )
    if not all(check.ok for check in found):
        raise typer.Exit(1)


def health(as_json: AsJson = False) -> None:
    """Say how the workers are that run from this home; code 1 if one is not well, or none tells."""
    found = Healthbook(load_settings().home).read()
    rows(
        [
            {
                "name": report.name,
                "healthy": report.healthy,
                "lag": report.lag,
                "reason": report.reason,
            }
            for report in found
        ],
        as_json=as_json,
        empty="no worker reports from here",
    )
    if not found or not all(report.healthy for report in found):
        raise typer.Exit(1)
