"""The gateway service: HTTP and gRPC before the streams of an installation."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from socket import gethostname
from threading import Event
from time import time
from typing import NamedTuple
from uuid import uuid4

import uvloop

from modstream import __version__
from modstream.broker.client.admin import Admin
from modstream.broker.errors import BrokerError
from modstream.features.names import FeatureNames
from modstream.operations.privacy.sealing import request_sealer
from modstream.process.background import BackgroundThread
from modstream.process.gc_tuning import relaxed_gc
from modstream.process.health import HealthFiles, HealthReport
from modstream.process.loop_end import end_in_loop
from modstream.producers.gateway.broker_link import BrokerLink
from modstream.producers.gateway.call_stats import ignore_call
from modstream.producers.gateway.calls import StreamRoute
from modstream.producers.gateway.concurrency_limit import ConcurrencyLimit
from modstream.producers.gateway.context import GatewayContext
from modstream.producers.gateway.data_plane import DataPlane
from modstream.producers.gateway.exchange import Exchange
from modstream.producers.gateway.finder import ReplyFinder
from modstream.producers.gateway.http.app import gateway_app
from modstream.producers.gateway.http.server import HttpServer
from modstream.producers.gateway.pending import PendingReplies
from modstream.producers.gateway.presence import WorkerPresence
from modstream.producers.gateway.rpc.server import grpc_server
from modstream.producers.gateway.security.tls import certificate_end, grpc_credentials
from modstream.producers.gateway.statistics import AnswerStatistics
from modstream.registry.access import open_registry
from modstream.registry.idempotency import open_idempotency
from modstream.registry.model_catalog import RegistryCatalog
from modstream.services.gateway_access import open_access
from modstream.services.stored_answers import open_stored_answers
from modstream.settings import Settings
from modstream.telemetry.gateway import GatewayMetrics
from modstream.telemetry.process import NO_METRICS, ProcessMetrics
from modstream.telemetry.traces.ports import NO_TRACING, ProcessTracing

HEALTH_SECONDS = 2.0
"""How often the health report is written."""
CALL_ALLOCATIONS = 20_000
"""Allocations before a garbage collection: those of a few hundred calls. An error's traceback may
keep the body of its call in a reference cycle, so collections must not be rare."""


class GatewayAddresses(NamedTuple):
    """The URL of HTTP, and the address of gRPC, which is empty without gRPC."""

    http: str
    grpc: str


OnReady = Callable[[GatewayAddresses], None]


def run_gateway(
    settings: Settings,
    stop: Event,
    on_ready: OnReady,
    metrics: ProcessMetrics = NO_METRICS,
    tracing: ProcessTracing = NO_TRACING,
) -> None:
    """Serve until `stop` is set; calls in hand are answered first.

    Args:
        settings: the streams are its own one and those of its group `gateway`.
        stop: ends the service.
        on_ready: called with the addresses once calls are answered.
        metrics: what the process measures.
        tracing: how its calls are traced.

    Raises:
        TopicMissing: a stream's topics do not exist.
        InvalidSettings: the gateway must not listen on its address without keys.
        KeyFileUnusable: the file of the API keys is missing or damaged.
        TlsUnusable: the certificate or its key cannot be used.
        AddressTaken: another process listens there.
    """
    uvloop.run(serve(settings, stop, on_ready, metrics, tracing))


async def serve(
    settings: Settings,
    stop: Event,
    on_ready: OnReady,
    metrics: ProcessMetrics = NO_METRICS,
    tracing: ProcessTracing = NO_TRACING,
) -> None:
    """Serve until `stop` is set."""
    async with AsyncExitStack() as stack:
        measured = GatewayMetrics() if metrics.is_on else None
        context, threads = stack.enter_context(gateway_context(settings, measured, tracing))
        app = gateway_app(context)
        app = app if measured is None else measured.app(app)
        http = HttpServer(app, settings.gateway, context.data.has_room)
        if measured is not None:
            end = certificate_end(settings.gateway)
            measured.watch_server(http.refusals, None if end is None else end.timestamp())
            metrics.add(measured)
        grpc = ""
        if settings.gateway.grpc_port >= 0:
            credentials = grpc_credentials(settings.gateway)
            grpc = await stack.enter_async_context(grpc_server(context, credentials))
        health = GatewayHealth(settings, context, threads, metrics)
        stack.enter_context(BackgroundThread("gateway-health", health.run))
        watch = partial(end_in_loop, stop, http.stop, asyncio.get_running_loop())
        stack.enter_context(BackgroundThread("gateway-stop", watch))
        stack.enter_context(relaxed_gc(CALL_ALLOCATIONS))
        on_ready(GatewayAddresses(http.url, grpc))
        await http.serve()


@contextmanager
def gateway_context(
    settings: Settings,
    measured: GatewayMetrics | None = None,
    tracing: ProcessTracing = NO_TRACING,
) -> Iterator[tuple[GatewayContext, Sequence[BackgroundThread]]]:
    """Yield what calls need, and the threads that serve it; call it in a running event loop."""
    gateway = settings.gateway
    streams = stream_routes(settings)
    groups = {name: route.topics.group("worker") for name, route in streams.items()}
    count = partial(Admin(settings.connection).count_members, with_partitions=False)
    presence = WorkerPresence(groups, count)
    presence.look()
    limit = ConcurrencyLimit(gateway.min_in_flight, gateway.max_in_flight)
    pending = PendingReplies(limit, gateway.max_in_flight_bytes)
    if measured is not None:
        measured.watch(pending, limit, presence, streams)
    name = f"modstream-gateway-{gethostname()}-{uuid4().hex[:12]}"
    with ExitStack() as stack:
        access = stack.enter_context(open_access(settings))
        registry = stack.enter_context(open_registry(settings))
        added = stack.enter_context(FeatureNames(settings))
        catalog = RegistryCatalog(registry, added.read)
        idempotency = stack.enter_context(open_idempotency(settings))
        store = stack.enter_context(open_stored_answers(settings, catalog))
        topics = [route.topics for route in streams.values()]
        link = stack.enter_context(BrokerLink(settings.connection, topics))
        sends = tracing.sends()
        exchange = Exchange(name, link, pending, presence, gateway.max_in_flight, sends)
        finder = ReplyFinder(settings.connection)
        read = partial(link.read_replies, wants=exchange.wants, on_replies=exchange.take)
        look = partial(presence.watch, interval=gateway.worker_check_interval)
        threads = [
            BackgroundThread("gateway-replies", read, retry_on=(BrokerError,)),
            BackgroundThread("gateway-deliveries", link.serve_deliveries),
            BackgroundThread("gateway-finder", finder.run),
            BackgroundThread("gateway-presence", look),
            *access.threads,
        ]
        for thread in threads:
            stack.enter_context(thread)
        yield (
            GatewayContext(
                settings=gateway,
                data=DataPlane(
                    *(streams, exchange, link, pending, finder, idempotency),
                    request_sealer(settings),
                ),
                catalog=catalog,
                presence=presence,
                statistics=AnswerStatistics(),
                access=access.control,
                store=store,
                version=__version__,
                on_call=ignore_call if measured is None else measured.on_call,
                tracer=tracing.calls(),
            ),
            threads,
        )


def stream_routes(settings: Settings) -> dict[str, StreamRoute]:
    """Return the streams that the gateway serves, the settings' own first, with their models.

    The route of another stream is known by its workers only; if its first model does not have the
    stream's name, callers must name a model, or get the first answer.
    """
    routes = {settings.stream: StreamRoute(settings.topics(), settings.models)}
    for stream in settings.gateway.streams:
        routes.setdefault(stream, StreamRoute(settings.topics(stream), ()))
    return routes


class GatewayHealth:
    """Writes the health report of a gateway."""

    def __init__(
        self,
        settings: Settings,
        context: GatewayContext,
        threads: Sequence[BackgroundThread],
        metrics: ProcessMetrics,
    ) -> None:
        self._name = f"{settings.topics().group('gateway')}-{settings.gateway.port}"
        self._stream = settings.stream
        self._context, self._threads = context, threads
        self._files = HealthFiles(Path(settings.home), metrics.on_health)

    def run(self, stop: Event) -> None:
        """Write reports until `stop` is set; then remove them."""
        while True:
            problem = self._context.presence.problem(self._stream)
            failed = [thread.name for thread in self._threads if thread.has_failed]
            reason = f"failed: {', '.join(failed)}" if failed else problem or "serving"
            report = HealthReport(self._name, not failed and problem is None, reason, None, time())
            self._files.write(report)
            if stop.wait(HEALTH_SECONDS):
                break
        self._files.remove(self._name)
