"""`modstream worker`: runs the worker service until Ctrl-C or SIGTERM."""

from typing import Annotated, Literal

import typer

from modstream import logs
from modstream.cli.options import RouteOption, StreamArgument
from modstream.process.signals import stop_signals
from modstream.services.worker import run_worker
from modstream.settings import load_settings


def worker(
    stream: StreamArgument = None,
    models: RouteOption = None,
    instance_id: Annotated[
        str | None,
        typer.Option(
            help="Identifies this worker; each running worker needs a different one. `auto` takes"
            " the host name."
        ),
    ] = None,
    delivery: Annotated[
        Literal["exactly_once", "at_least_once"] | None,
        typer.Option(help="The delivery guarantee of responses and offsets."),
    ] = None,
) -> None:
    """Answer a stream's requests with the models of its route, until Ctrl-C or SIGTERM."""
    settings = load_settings(
        stream=stream,
        route=tuple(models) if models else None,
        instance_id=instance_id,
        delivery=delivery,
    )
    logs.configure(settings)
    with stop_signals() as stop:
        run_worker(settings, stop)
