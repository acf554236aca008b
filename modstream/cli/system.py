"""`modstream demo`: replays real flights through the whole system and reports the results."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer
from rich.progress import BarColumn

from modstream import logs
from modstream.broker.client.admin import Admin
from modstream.cli.output import stderr, stdout
from modstream.cli.servers import require_servers
from modstream.cli.up import (
    choose_dashboard_port,
    choose_gateway_ports,
    print_dashboard,
    print_gateway,
)
from modstream.demo.drain import wait_until_ready
from modstream.demo.family import BOOSTED
from modstream.demo.first_state import DemoData, prepare_stream
from modstream.demo.learner_progress import LearnerProgress
from modstream.demo.plan import FULL, SHORT, DemoPlan
from modstream.demo.report import report_demo
from modstream.demo.run import DemoOutcome, DemoReplay
from modstream.demo.stream import demo_settings
from modstream.live.follower import LagSampler, TopicFollower
from modstream.live.rolling_stats import RollingStats
from modstream.live.view import LiveView, ViewSources
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.process.signals import stop_signals
from modstream.registry.access import open_registry
from modstream.registry.card_lookup import card_finder
from modstream.running_stack import lock_home
from modstream.settings import advertise_stack, load_settings, uses_external_kafka
from modstream.stack.doctor import require_python
from modstream.stack.local_stack import LocalStack, run_local_stack
from modstream.terminal import description_column, safe_progress

LEARNER = "online"
DateOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A date in 2013.", show_default=False)
]


def demo(
    full: Annotated[
        bool, typer.Option("--full", help="Replay April to December, about 250,000 flights.")
    ] = False,
    start: DateOption = None,
    end: DateOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of workers.")] = SHORT.workers,
    bad: Annotated[float, typer.Option(min=0, max=1, help="Bad records per valid request.")] = 0.0,
    candidates: Annotated[
        bool,
        typer.Option("--candidates", help="Let two more candidates of `online` learn."),
    ] = False,
    board: Annotated[
        bool,
        typer.Option("--board", help="Also send what left and landed, and use features of it."),
    ] = False,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Kill a worker, the learner and Redis with SIGKILL.")
    ] = False,
) -> None:
    """Replay real flights through the whole system with a live view, then report from the topics.

    Two models answer each request. `frozen` has learned January to March. Of `online`, several
    candidates compete: one learns from every flight that lands, one is boosting with features of
    the stream, one is the mean of both. Exits with code 1 if the topics do not account for every
    request, label and learned row, and with code 130 after Ctrl-C.
    """
    require_python()
    chosen = FULL if full else SHORT
    plan = replace(
        chosen,
        start=start.date() if start else chosen.start,
        end=end.date() if end else chosen.end,
        workers=workers,
        bad_share=bad,
        chaos=chaos,
        board=board,
    )
    with lock_home(load_settings().home) as lock:
        settings = demo_settings(plan, with_all=candidates)
        logs.configure(settings, min_level="warning")
        folder = settings.home / "demo"
        if uses_external_kafka(settings):
            require_servers()
        else:
            stderr.print("starting Kafka and Redis", style="dim")
        with run_local_stack(settings, folder, lock, fresh=True) as running:
            data = prepare(running, plan)
            with stop_signals() as stop, advertise_stack(running.settings, lock):
                gateway = choose_gateway_ports(None)
                dashboard = choose_dashboard_port(None)
                running.start(
                    *(plan.workers, LEARNER, gateway),
                    dashboard=dashboard,
                    aggregator=True,
                    retrained_alias=BOOSTED if plan.retrain_hours else None,
                )
                print_gateway(running, gateway)
                print_dashboard(running, dashboard)
                outcome = run_demo(running, DemoReplay(running, plan, data, stop))
            if stop.is_set():
                raise typer.Exit(130)
            report = report_demo(running.settings, plan, outcome, folder, stdout, stderr)
    raise typer.Exit(0 if report.is_sound else 1)


def prepare(running: LocalStack, plan: DemoPlan) -> DemoData:
    """Create the topics, publish first versions and features, and return what is replayed."""
    with (
        open_registry(running.settings) as registry,
        safe_progress(description_column(), BarColumn(), console=stderr) as progress,
    ):
        task = progress.add_task("reading flights", total=1.0)

        def show_progress(activity: str, share: float) -> None:
            progress.update(task, description=activity, completed=share)

        data = prepare_stream(running.settings, registry, plan, show_progress)
    stderr.print("published the first versions, starting the processes", style="dim")
    return data


def run_demo(running: LocalStack, replay: DemoReplay) -> DemoOutcome:
    """Replay the flights with the live view; return when all records have been processed."""
    settings, topics = running.settings, running.settings.topics()
    with (
        open_registry(settings) as registry,
        (running.supervisor.logs / "demo.log").open("a") as log,
        LearnerProgress(settings.connection, topics, LEARNER) as learner_progress,
        TopicFollower(
            *(settings.connection, topics),
            stats := RollingStats(
                topics, settings.models, versions=VersionClasses(card_finder(registry))
            ),
        ),
        LagSampler(settings.connection, topics) as sampler,
    ):
        logs.configure(settings, log)
        wait_until_ready(Admin(settings.connection), topics, replay.plan.workers, replay.stop)
        future = replay.start(learner_progress.event_time)
        sources = ViewSources(
            stats, lambda: sampler.latest, lambda: replay.progress, replay.event_time_range()
        )
        with LiveView(sources, stdout):
            outcome = future.result()
    logs.configure(settings, min_level="warning")
    return outcome
