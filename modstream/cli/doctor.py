"""`modstream doctor`, which looks at the local stack, too."""

from pathlib import Path

import typer

from modstream.cli.options import JsonOption
from modstream.cli.output import print_rows, stdout
from modstream.running_stack import read_running_stack
from modstream.settings import load_settings
from modstream.stack.doctor import run_checks


def doctor(as_json: JsonOption = False) -> None:
    """Check what modstream needs on this machine and print a remedy for what is missing.

    Exits with code 1 if a check fails.
    """
    settings = load_settings()
    configured = settings.model_fields_set
    checks = run_checks(
        Path(settings.home),
        bootstrap=settings.bootstrap if "bootstrap" in configured else "",
        redis_url=settings.redis_url if "redis" in configured else "",
    )
    if read_running_stack(settings.home) and not as_json:
        stdout.out(
            f"a local stack runs from {settings.home}: Kafka {settings.bootstrap}", highlight=False
        )
    rows = [
        {
            "check": check.name,
            "ok": check.is_ok if as_json else ("✓" if check.is_ok else "✗"),
            "found": check.detail,
            "remedy": "" if check.is_ok else check.remedy,
        }
        for check in checks
    ]
    print_rows(rows, as_json=as_json, empty="")
    if not all(check.is_ok for check in checks):
        raise typer.Exit(1)
