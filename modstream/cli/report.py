"""`modstream report`: accounts for a stream's requests and labels, on the console and as a page."""

from pathlib import Path
from typing import Annotated

import typer

from modstream.audit.result import to_json
from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, RouteOption, StreamArgument
from modstream.cli.output import open_progress, stderr, stdout
from modstream.cli.servers import require_stream
from modstream.cli.time_options import SinceOption, UntilOption
from modstream.errors import NothingToReport
from modstream.models.evaluation.monitoring.model_monitoring import MonitoringSettings
from modstream.operations.stream_report import ReportSpan, report_stream
from modstream.registry.card_lookup import card_finder
from modstream.report.console import print_report
from modstream.report.page import write_page
from modstream.settings import load_settings


def report(
    stream: StreamArgument = None,
    models: RouteOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    out: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write the report with plots as an HTML page."),
    ] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="FEATURE",
            help="Feature by whose values the page and the JSON have figures; may be repeated."
            " By default those with few texts as values.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Account for each request, label and learned row of a stream: delivery, quality, latency.

    The page (`--out`) and the JSON also have the worst slices of the models, their calibration, the
    drift of their inputs, and the coverage of conformal sets.

    The stream may run on: what no service has processed yet is counted as waiting. Nothing is
    written to it. Exits with code 1 if something is not accounted for, or if there is no request.
    """
    settings = load_settings(stream=stream, route=tuple(models) if models else None)
    require_stream(settings)
    with open_models(settings) as registry, open_progress() as progress:
        task = progress.add_task("looking up offsets", total=None)

        def show_progress(topic: str, count: int, total: int) -> None:
            progress.update(task, description=topic, completed=count, total=total)

        span, find_card = ReportSpan(since, until), card_finder(registry)
        monitoring = MonitoringSettings(features=tuple(slices or ()))
        result = report_stream(settings, span, show_progress, find_card, monitoring)
    if not result.delivery.requests:
        raise NothingToReport(settings.stream, result.delivery.waiting)
    if as_json:
        typer.echo(to_json(result))
    else:
        print_report(result, stdout)
    if out is not None:
        write_page(result, out)
        stderr.print(f"written to {out}", highlight=False, markup=False, soft_wrap=True)
    if not result.is_sound:
        raise typer.Exit(1)
