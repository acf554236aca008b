"""`demo` and `up`: the whole system by one command."""

from dataclasses import replace
from datetime import datetime
from time import time
from typing import Annotated

import pandas as pd
import typer
from rich.progress import BarColumn, Progress, TextColumn

from modstream import logs
from modstream.broker.client.admin import Admin
from modstream.cli.options import Models, Stream
from modstream.cli.output import out, say
from modstream.demo.drain import await_ready
from modstream.demo.learner_progress import Learned
from modstream.demo.plan import FULL, SHORT
from modstream.demo.report import close
from modstream.demo.run import Outcome, Show
from modstream.demo.seed import BATCH, FAMILY, seed, seed_family
from modstream.live.follower import LagSampler, Tail
from modstream.live.rolling_stats import Recent
from modstream.live.view import LiveView, Sources
from modstream.process.signals import stop_signals
from modstream.producers.replay.flights import load_flights
from modstream.registry.access import open_registry
from modstream.settings import Settings, announce, are_configured, load_settings
from modstream.stack.doctor import require_python
from modstream.stack.local_stack import Stage, stage

ROUTE = ("online", "frozen")
LEARNER = "online"
OFTEN = {"seconds": 0.1}
"""Event time flies in a replay: a version every tenth of a second is one every few minutes."""
Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day of 2013.", show_default=False)
]


def demo(
    full: Annotated[
        bool, typer.Option("--full", help="April to December: about 250,000 flights.")
    ] = False,
    start: Day = None,
    end: Day = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = SHORT.workers,
    bad: Annotated[float, typer.Option(min=0, max=1, help="Bad records per good request.")] = 0.0,
    family: Annotated[
        bool, typer.Option("--family", help="Let challengers compete with `online` at a gate.")
    ] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="kill -9 a worker, the learner and Redis on the way.")
    ] = False,
) -> None:
    """Replay real flights through the whole system, show it live, report what stands in Kafka.

    Two models answer each request: `frozen` learned January to March, `online` goes on learning
    from every flight that lands. Ends with code 1 if a request, a label or a learned row is not
    accounted for, and with code 130 after Ctrl-C.
    """
    require_python()
    chosen = FULL if full else SHORT
    plan = replace(
        chosen,
        start=start.date() if start else chosen.start,
        end=end.date() if end else chosen.end,
        workers=workers,
        faults=bad,
        drill=drill,
    )
    settings = demo_settings((*FAMILY, BATCH) if family else ())
    logs.configure(settings, least="warning")
    folder = settings.home / "demo"
    say.print("starting Kafka and Redis", style="dim")
    with stage(settings, folder, fresh=True) as running:
        flights = prepare(running)
        with stop_signals() as stop:
            running.start(plan.workers, LEARNER)
            outcome = perform(running, Show(running, plan, flights, stop))
        if stop.is_set():
            raise typer.Exit(130)
        figures = close(running.settings, outcome, folder, out, say)
    raise typer.Exit(0 if figures.sound else 1)


def demo_settings(members: tuple[str, ...] = ()) -> Settings:
    """The demo's own stream; on servers that are not ours under a prefix of its own."""
    own = {"stream": "flights", "route": ROUTE, "cadence": OFTEN, "members": members}
    named = load_settings(**own)
    return load_settings(**own, prefix=f"demo-{time():.0f}.") if are_configured(named) else named


def prepare(running: Stage) -> pd.DataFrame:
    """Topics, and a first version of both models and of all members; returns all flights."""
    with (
        open_registry(running.settings) as registry,
        Progress(
            TextColumn("{task.description}"), BarColumn(), console=say, transient=True
        ) as progress,
    ):
        task = progress.add_task("reading flights", total=1.0)
        flights = load_flights()

        def tell(doing: str, share: float) -> None:
            progress.update(task, description=doing, completed=share)

        made = seed(running.settings, registry, lambda: flights, tell)
        if running.settings.members:
            seed_family(running.settings, registry, lambda: flights, tell)
    say.print(f"published {' and '.join(made)}, starting the processes", style="dim")
    return flights


def perform(running: Stage, show: Show) -> Outcome:
    """Replay beside the live view; returns when everything has been worked off."""
    settings, topics = running.settings, running.settings.topics()
    recent = Recent(topics, settings.models)
    with (
        (running.supervisor.logs / "demo.log").open("a") as log,
        Learned(settings.connection, topics, LEARNER) as learned,
        Tail(settings.connection, topics, recent),
        LagSampler(settings.connection, topics) as sampler,
    ):
        logs.configure(settings, log)
        await_ready(Admin(settings.connection), topics, show.plan.workers, show.stop)
        replaying = show.begin(learned.reached)
        sources = Sources(recent, lambda: show.progress, lambda: sampler.latest, show.span())
        with LiveView(sources, out):
            outcome = replaying.result()
    logs.configure(settings, least="warning")
    return outcome


def up(
    stream: Stream = None,
    models: Models = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    learner: Annotated[
        str | None,
        typer.Option(help="The model that learns; by default none.", show_default=False),
    ] = None,
    kafka_port: Annotated[int, typer.Option(help="Kafka's port; 0 is any free one.")] = 0,
    redis_port: Annotated[int, typer.Option(help="Redis's port; 0 is any free one.")] = 0,
) -> None:
    """Run the whole system until Ctrl-C: servers, topics, workers, joiner, learner.

    Other commands find it by themselves, from the same directory. Nothing is answered before the
    models of the route are published: `modstream models publish`, or `modstream models seed`.
    """
    require_python()
    settings = load_settings(stream=stream, route=tuple(models) if models else None)
    logs.configure(settings, least="warning")
    say.print("starting Kafka and Redis", style="dim")
    ports = (kafka_port, redis_port)
    with stage(settings, settings.home / "stack", ports=ports) as running:
        settings = running.settings
        Admin(settings.connection).create(settings.specs())
        with stop_signals() as stop, announce(settings):
            running.start(workers, learner)
            say.print(f"Kafka   [bold]{settings.bootstrap}[/]\nRedis   [bold]{settings.redis}[/]")
            say.print(f"logs    {running.supervisor.logs}")
            say.print(f"stream  {settings.stream}, answered by {', '.join(settings.models)}")
            say.print("Ctrl-C ends it all", style="dim")
            stop.wait()
