"""`modstream load`: sends an open-loop load that fits a model's schema and reports the result."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal
from uuid import uuid4

import typer
from rich.progress import BarColumn, ProgressColumn, Task
from rich.text import Text

from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, StreamArgument, check_model
from modstream.cli.output import open_progress, print_json, print_rows
from modstream.cli.servers import require_stream
from modstream.features.names import feature_names
from modstream.process.signals import stop_signals
from modstream.producers.load.report import LoadReport
from modstream.producers.load.run import run_load
from modstream.producers.load.schedule import CRAYFISH, STEADY, LoadPlan
from modstream.producers.records.random_rows import parse_feature_specs
from modstream.settings import Settings, load_settings
from modstream.terminal import description_column


def load(
    stream: StreamArgument = None,
    rate: Annotated[float, typer.Option(help="Requests per second.")] = 100.0,
    seconds: Annotated[float, typer.Option(help="Duration of the load in seconds.")] = 10.0,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The model that requests name and whose schema they follow; by default they name"
            " none and follow the primary model's schema.",
            callback=check_model,
        ),
    ] = None,
    bursts: Annotated[
        bool,
        typer.Option("--bursts", help="Alternate 0.7 of the rate for 120 s and 1.1 for 30 s."),
    ] = False,
    request_format: Annotated[
        Literal["row", "tensor"],
        typer.Option("--format", help="Rows by feature name, or Open Inference Protocol tensors."),
    ] = "row",
    rows: Annotated[int, typer.Option(help="Rows per request.")] = 1,
    keys: Annotated[int, typer.Option(help="Number of keys; 0: one per request.")] = 0,
    zipf: Annotated[float, typer.Option(help="Zipf exponent of the keys; 0: uniform.")] = 0.0,
    padding: Annotated[int, typer.Option(help="Bytes added to each request.")] = 0,
    bad: Annotated[float, typer.Option(help="Share of malformed or invalid records.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Random seed; the same seed sends the same load.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Send an open-loop load for a model's schema and report latencies from intended send times."""
    settings = load_settings(stream=stream)
    require_stream(settings)
    with open_models(settings) as registry:
        card = registry.card(model or settings.models[0])
    plan = LoadPlan(
        run_id=f"load-{uuid4().hex[:8]}",
        rate=rate,
        seconds=seconds,
        phases=CRAYFISH if bursts else STEADY,
        request_format=request_format,
        rows=rows,
        keys=keys,
        zipf_exponent=zipf,
        padding_bytes=padding,
        bad_share=bad,
        seed=seed,
        model=model,
    )
    added = feature_names(settings)
    sent = [one.model_dump() for one in card.input_schema.features if one.name not in added]
    features = parse_feature_specs(sent)
    with stop_signals() as stop, show_schedule(plan):
        report = run_load(settings.connection, settings.topics(), plan, features, stop)
    print_load_report(settings, report, as_json=as_json)


@contextmanager
def show_schedule(plan: LoadPlan) -> Iterator[None]:
    """Show on a terminal how far the schedule is, which does not depend on the responses."""
    columns = (description_column(), BarColumn(), ScheduleColumn(plan.seconds))
    with open_progress(*columns) as progress:
        progress.add_task(f"{plan.rate:g} requests/s", total=None)
        yield


class ScheduleColumn(ProgressColumn):
    """The seconds since the start, of those that the load takes; then what is waited for."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def render(self, task: Task) -> Text:
        """Return the cell of a task."""
        elapsed = task.elapsed or 0.0
        if elapsed > self._seconds:
            return Text("waiting for the last responses")
        return Text(f"{elapsed:.0f} of {self._seconds:g} s")


def print_load_report(settings: Settings, report: LoadReport, *, as_json: bool) -> None:
    """Print the result of a load run: counts, latency percentiles, errors and bad records."""
    fields = report.to_dict()
    if as_json:
        print_json(fields)
        return
    metrics = [
        {"metric": name, "value": value}
        for name, value in fields.items()
        if not isinstance(value, dict | type(None))
    ]
    print_rows(metrics, as_json=False, empty="")
    if report.latency_ms is not None:
        title = "latency in ms from the intended send time"
        print_rows([fields["latency_ms"]], as_json=False, empty="", title=title)
    exits = [
        {"kind": kind, "exit": exit_name, "records": count}
        for kind, counts in (("good", report.errors), *report.bad.items())
        for exit_name, count in counts.items()
    ]
    if exits:
        title = f"errors and bad records on {settings.stream}"
        print_rows(exits, as_json=False, empty="", title=title)
