"""`modstream up`: runs the whole system on this machine until Ctrl-C."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from modstream import logs
from modstream.broker.client.admin import Admin
from modstream.cli.masked_settings import mask_secrets
from modstream.cli.options import RouteOption, StreamArgument
from modstream.cli.output import stderr
from modstream.cli.servers import require_servers
from modstream.features.definitions import open_definitions
from modstream.metrics_settings import METRICS_OFF
from modstream.process.signals import stop_signals
from modstream.processors.features.files import load_features
from modstream.running_stack import lock_home
from modstream.settings import advertise_stack, load_settings, uses_external_kafka
from modstream.stack.doctor import require_python
from modstream.stack.embedded.ports import (
    DEFAULT_DASHBOARD_PORT,
    DEFAULT_GRPC_PORT,
    DEFAULT_HTTP_PORT,
    DEFAULT_KAFKA_PORT,
    DEFAULT_REDIS_PORT,
    MAX_PORT,
    free_port,
    preferred_or_free,
    preferred_port,
)
from modstream.stack.local_stack import GatewayPorts, LocalStack, run_local_stack
from modstream.telemetry.discovery import FOLDER


def up(
    stream: StreamArgument = None,
    models: RouteOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of workers.")] = 1,
    learner: Annotated[
        str | None,
        typer.Option(help="The model that learns; by default no learner runs.", show_default=False),
    ] = None,
    kafka_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_PORT,
            help="Kafka's port, 0 for any free one; by default 9092 if it is free.",
            show_default=False,
        ),
    ] = None,
    redis_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_PORT,
            help="Redis's port, 0 for any free one; by default 6379 if it is free.",
            show_default=False,
        ),
    ] = None,
    materializer: Annotated[
        bool,
        typer.Option(
            "--materializer", help="Also keep the newest prediction of each key in the store."
        ),
    ] = False,
    features: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Definitions of features to publish, and to count from now on.",
            show_default=False,
        ),
    ] = None,
    http_port: Annotated[
        int | None,
        typer.Option(
            min=-1,
            max=MAX_PORT,
            help="The gateway's port of HTTP, 0 for any free one, -1 for no gateway; by default"
            " 8080 if it is free.",
            show_default=False,
        ),
    ] = None,
    dashboard_port: Annotated[
        int | None,
        typer.Option(
            min=-1,
            max=MAX_PORT,
            help="The dashboard's port, 0 for any free one, -1 for no dashboard; by default 8501 if"
            " it is free.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run the whole system until Ctrl-C: servers, topics, workers, gateway, dashboard and so on.

    Other commands find it automatically if they run in the same directory. Requests are answered
    once the models of the route are published: `modstream models publish` or
    `modstream models seed`.
    """
    require_python()
    content = None if features is None else read_features(features)
    with lock_home(load_settings().home) as lock:
        settings = load_settings(stream=stream, route=tuple(models) if models else None)
        logs.configure(settings, min_level="warning")
        folder = settings.home / "stack"
        ports = choose_ports(kafka_port, redis_port)
        if uses_external_kafka(settings):
            require_servers()
        else:
            stderr.print("starting Kafka and Redis", style="dim")
        with run_local_stack(settings, folder, lock, ports=ports) as running:
            Admin(running.settings.connection).create(running.settings.topic_specs())
            if content is not None:
                with open_definitions(running.settings) as table:
                    table.write(content)
            with stop_signals() as stop, advertise_stack(running.settings, lock):
                gateway = choose_gateway_ports(http_port)
                dashboard = choose_dashboard_port(dashboard_port)
                running.start(
                    *(workers, learner, gateway),
                    dashboard=dashboard,
                    materializer=materializer,
                    aggregator=content is not None,
                )
                print_stack(running, gateway, dashboard)
                stop.wait()


def read_features(file: Path) -> bytes:
    """Return the content of a file of definitions, if they are valid.

    Raises:
        InvalidFeatures: it cannot be read, or a definition is wrong.
    """
    load_features(file)
    return file.read_bytes()


def choose_ports(kafka: int | None, redis: int | None) -> tuple[int, int]:
    """Return the ports of Kafka and Redis: by default their usual ones if they are free, else 0."""
    return (
        preferred_port(DEFAULT_KAFKA_PORT) if kafka is None else kafka,
        preferred_port(DEFAULT_REDIS_PORT) if redis is None else redis,
    )


def choose_gateway_ports(http: int | None) -> GatewayPorts | None:
    """Return the ports of the gateway, or None if there is to be none."""
    if http == -1:
        return None
    port = http or (preferred_or_free(DEFAULT_HTTP_PORT) if http is None else free_port())
    return GatewayPorts(port, preferred_or_free(DEFAULT_GRPC_PORT, excluded=port))


def choose_dashboard_port(port: int | None) -> int | None:
    """Return the port of the dashboard, or None if there is to be none."""
    if port == -1:
        return None
    return port or (preferred_or_free(DEFAULT_DASHBOARD_PORT) if port is None else free_port())


def print_stack(running: LocalStack, gateway: GatewayPorts | None, dashboard: int | None) -> None:
    """Print where a stack answers, where its logs are, and how it is stopped."""
    settings = running.settings
    print_place("Kafka", settings.bootstrap)
    print_place("Redis", mask_secrets(settings.redis))
    print_gateway(running, gateway)
    print_dashboard(running, dashboard)
    stderr.print(f"logs    {running.supervisor.logs}")
    if settings.metrics.port != METRICS_OFF:
        stderr.print(f"metrics {settings.home / FOLDER}/*.json tells Prometheus where they are")
    stderr.print(f"stream  {settings.stream}, answered by {', '.join(settings.models)}")
    stderr.print("Ctrl-C stops everything", style="dim")


def print_gateway(running: LocalStack, gateway: GatewayPorts | None) -> None:
    """Print where the gateway of a stack answers, if there is one."""
    if gateway is not None:
        host = running.settings.gateway.host
        print_place("HTTP", f"http://{host}:{gateway.http}")
        print_place("gRPC", f"{host}:{gateway.grpc}")


def print_dashboard(running: LocalStack, port: int | None) -> None:
    """Print where the dashboard of a stack answers, if there is one."""
    if port is not None:
        print_place("pages", f"http://{running.settings.dashboard.host}:{port}")


def print_place(name: str, address: str) -> None:
    """Print where a part of a stack answers."""
    stderr.print(Text.assemble(f"{name:8}", (address, "bold")))
