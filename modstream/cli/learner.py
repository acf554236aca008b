"""`modstream learner`: runs the learner service until Ctrl-C or SIGTERM."""

from typing import Annotated

import typer

from modstream import logs
from modstream.cli.options import StreamArgument, check_model
from modstream.cli.service import follow_stack, wait_until_ready
from modstream.process.signals import stop_signals
from modstream.process.slots import claim_model
from modstream.rights.rights import Role
from modstream.services.learner import run_learner
from modstream.settings import Settings, load_settings
from modstream.telemetry.open import open_metrics
from modstream.telemetry.traces.open import open_tracing


def learner(
    stream: StreamArgument = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The model that learns; by default the primary model.",
            callback=check_model,
        ),
    ] = None,
) -> None:
    """Learn from joined labels and publish new versions of a model, until Ctrl-C or SIGTERM."""

    def load() -> Settings:
        return load_settings(stream=stream)

    logs.configure(load())
    with claim_model(load(), "learner", model or load().models[0]):
        if (settings := wait_until_ready(load, Role.LEARNER)) is None:
            return
        name = model or settings.models[0]
        with (
            follow_stack(settings, load),
            stop_signals() as stop,
            open_metrics(settings, "learner", name) as metrics,
            open_tracing(settings, "learner", name) as tracing,
        ):
            run_learner(settings, name, stop, metrics, tracing)
