"""`modstream joiner`: runs the joiner service until Ctrl-C or SIGTERM."""

import typer

from modstream import logs
from modstream.cli.options import StreamArgument
from modstream.services.joiner import run_joiner
from modstream.settings import load_settings


def joiner(stream: StreamArgument = None) -> None:
    """Join late labels with the predictions they belong to, until Ctrl-C or SIGTERM."""
    settings = load_settings(stream=stream)
    logs.configure(settings)
    raise typer.Exit(run_joiner(settings))
