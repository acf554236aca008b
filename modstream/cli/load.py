"""`load`: an open-loop load for any model's schema, and what became of it."""

from typing import Annotated, Literal
from uuid import uuid4

import typer

from modstream.cli.options import AsJson, Stream
from modstream.cli.output import print_json, rows, say
from modstream.process.signals import stop_signals
from modstream.producers.load.report import LoadReport
from modstream.producers.load.run import run_load
from modstream.producers.load.schedule import CRAYFISH, STEADY, LoadPlan
from modstream.producers.records.random_rows import specs
from modstream.registry.access import open_registry
from modstream.settings import Settings, load_settings


def load(
    stream: Stream = None,
    rate: Annotated[float, typer.Option(help="Requests per second.")] = 100.0,
    seconds: Annotated[float, typer.Option(help="How long.")] = 10.0,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Whose schema, and who is asked.")
    ] = None,
    bursts: Annotated[
        bool, typer.Option(help="0.7 of the rate for 120 s, 1.1 for 30 s, and again.")
    ] = False,
    form: Annotated[Literal["row", "tensor"], typer.Option(help="Rows by name, or V2.")] = "row",
    rows_each: Annotated[int, typer.Option("--rows", help="Rows in a request.")] = 1,
    keys: Annotated[int, typer.Option(help="How many keys; 0: one per request.")] = 0,
    zipf: Annotated[float, typer.Option(help="Skew of the keys; 0 is uniform.")] = 0.0,
    padding: Annotated[int, typer.Option(help="Bytes added to each request.")] = 0,
    bad: Annotated[float, typer.Option(help="Share of bad records.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Same seed, same load.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Send an open-loop load for a model's schema and report latencies from intended send times."""
    settings = load_settings(stream=stream)
    with open_registry(settings) as registry:
        card = registry.card(model or settings.models[0])
    plan = LoadPlan(
        run=f"load-{uuid4().hex[:8]}",
        rate=rate,
        seconds=seconds,
        shape=CRAYFISH if bursts else STEADY,
        form=form,
        rows=rows_each,
        keys=keys,
        zipf=zipf,
        padding=padding,
        bad=bad,
        seed=seed,
        model=model,
    )
    features = specs([feature.model_dump() for feature in card.input_schema.features])
    with stop_signals() as stop, say.status(f"sending {rate:g} requests/s for {seconds:g} s"):
        report = run_load(settings.connection, settings.topics(), plan, features, stop)
    print_load(settings, report, as_json=as_json)


def print_load(settings: Settings, report: LoadReport, *, as_json: bool) -> None:
    """Print what a load run found."""
    found = report.to_dict()
    if as_json:
        print_json(found)
        return
    flat = {
        name: value for name, value in found.items() if not isinstance(value, dict | type(None))
    }
    rows([{"figure": k, "value": v} for k, v in flat.items()], as_json=False, empty="")
    if report.latency_ms is not None:
        rows([found["latency_ms"]], as_json=False, empty="", title="latency, ms from intended send")
    ways = [
        {"kind": kind, "way_out": way, "records": count}
        for kind, ended in (("good", report.errors), *report.bad.items())
        for way, count in ended.items()
    ]
    if ways:
        rows(ways, as_json=False, empty="", title=f"errors and bad records on {settings.stream}")
