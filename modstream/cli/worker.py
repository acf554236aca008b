"""`modstream worker`: runs the worker service until Ctrl-C or SIGTERM."""

from typing import Annotated, Literal

import typer

from modstream import logs
from modstream.cli.options import RouteOption, StreamArgument
from modstream.cli.service import follow_stack, wait_until_ready
from modstream.process.signals import stop_signals
from modstream.process.slots import claim_worker
from modstream.rights.rights import Role
from modstream.services.worker import run_worker
from modstream.settings import Settings, load_settings
from modstream.telemetry.open import open_metrics
from modstream.telemetry.traces.open import open_tracing


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

    def load() -> Settings:
        return load_settings(
            stream=stream,
            route=tuple(models) if models else None,
            instance_id=instance_id,
            delivery=delivery,
        )

    logs.configure(load())
    with claim_worker(load()):
        if (settings := wait_until_ready(load, Role.WORKER)) is None:
            return
        with (
            follow_stack(settings, load),
            stop_signals() as stop,
            open_metrics(settings, "worker", settings.instance_name) as metrics,
            open_tracing(settings, "worker", settings.instance_name) as tracing,
        ):
            run_worker(settings, stop, metrics=metrics, tracing=tracing)
