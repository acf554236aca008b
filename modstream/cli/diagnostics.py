"""`modstream config` and `modstream health`, which import little, as health checks start often."""

from typing import Annotated

import typer

from modstream.cli.masked_settings import mask_secrets
from modstream.cli.options import JsonOption
from modstream.cli.output import print_json, print_rows, stdout
from modstream.cli.settings_reference import settings_reference
from modstream.process.health import HealthFiles
from modstream.settings import load_settings
from modstream.telemetry.discovery import read_addresses


def config(
    reference: Annotated[
        bool,
        typer.Option("--reference", help="Print what each setting means instead, as Markdown."),
    ] = False,
) -> None:
    """Print the effective settings as JSON, from environment, file, running stack and defaults.

    Passwords and other secrets are printed as ***.
    """
    if reference:
        stdout.out(settings_reference(), highlight=False, end="")
        return
    print_json(mask_secrets(load_settings().model_dump(mode="json")))


def health(as_json: JsonOption = False) -> None:
    """Show the health of the services that run from this home directory, and their metrics.

    Exits with code 1 if a service is unhealthy or if there is no health report at all.
    """
    home = load_settings().home
    reports, addresses = HealthFiles(home).read(), read_addresses(home)
    rows = [
        {
            "name": report.name,
            "healthy": report.is_healthy,
            "lag": report.lag,
            "reason": report.reason,
            **({"metrics": addresses.get(report.name, "")} if addresses else {}),
        }
        for report in reports
    ]
    print_rows(rows, as_json=as_json, empty="no service has written a health report here")
    if not reports or not all(report.is_healthy for report in reports):
        raise typer.Exit(1)
