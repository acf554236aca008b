"""`demo` and `up`: the whole system by one command."""

from typing import Annotated

import typer

from broker.admin import Admin
from modstream import logs
from modstream.cli.options import Models, Stream
from modstream.cli.printing import say
from modstream.settings import announce, load_settings
from modstream.stage import stage
from modstream.stopping import stop_signals


def demo() -> None:
    """Replay real flights through the whole system, show it live, report what stands in Kafka."""


def up(
    stream: Stream = None,
    models: Models = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    learner: Annotated[
        str | None, typer.Option(help="The model that learns; by default none.")
    ] = None,
) -> None:
    """Run the whole system until Ctrl-C: servers, topics, worker, joiner, learner."""
    settings = load_settings(stream=stream, route=tuple(models) if models else None)
    logs.configure(load_settings(log_level="warning"))
    with stop_signals() as stop, stage(settings, settings.home / "stack") as running:
        settings = running.settings
        Admin(settings.connection).create(settings.specs())
        running.start(workers, learner)
        note = announce(settings.home, settings.bootstrap, settings.redis)
        say.print(f"Kafka [bold]{settings.bootstrap}[/]   Redis [bold]{settings.redis}[/]")
        stop.wait()
        note.unlink(missing_ok=True)
