"""`modstream learner`: runs the learner service until Ctrl-C or SIGTERM."""

from typing import Annotated

import typer

from modstream import logs
from modstream.cli.options import StreamArgument
from modstream.process.signals import stop_signals
from modstream.services.learner import run_learner
from modstream.settings import load_settings


def learner(
    stream: StreamArgument = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="The model that learns; by default the primary model."),
    ] = None,
) -> None:
    """Learn from joined labels and publish new versions of a model, until Ctrl-C or SIGTERM."""
    settings = load_settings(stream=stream)
    logs.configure(settings)
    with stop_signals() as stop:
        run_learner(settings, model or settings.models[0], stop)
