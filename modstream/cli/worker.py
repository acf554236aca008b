"""`worker`: one process, until Ctrl-C or SIGTERM. A module of its own: it starts in a second."""

from typing import Annotated, Literal

import typer

from modstream import logs
from modstream.cli.options import Models, Stream
from modstream.process.signals import stop_signals
from modstream.services.worker import run_worker
from modstream.settings import load_settings


def worker(
    stream: Stream = None,
    models: Models = None,
    slot: Annotated[
        str | None,
        typer.Option(help="This worker's place; each running worker needs its own."),
    ] = None,
    delivery: Annotated[
        Literal["exactly_once", "at_least_once"] | None,
        typer.Option(help="How answers and offsets leave."),
    ] = None,
) -> None:
    """Answer a stream's requests with the models of its route."""
    settings = load_settings(
        stream=stream, route=tuple(models) if models else None, slot=slot, delivery=delivery
    )
    logs.configure(settings)
    with stop_signals() as stop:
        run_worker(settings, stop)
