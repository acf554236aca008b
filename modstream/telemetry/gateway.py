"""Metrics of a gateway: its calls, its responses over HTTP, and what waits."""

from collections.abc import Collection, Iterator
from typing import Protocol

from prometheus_client.core import Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modstream.broker.wire.trace_context import sampled_trace_id
from modstream.producers.gateway.call_stats import CallStats
from modstream.producers.gateway.concurrency_limit import ConcurrencyLimit
from modstream.producers.gateway.pending import PendingReplies
from modstream.producers.gateway.presence import WorkerPresence
from modstream.telemetry import serving_metrics
from modstream.telemetry.instruments import (
    Histogram,
    Tally,
    counter_family,
    gauge,
    gauge_family,
)

OUTCOMES = ("prediction", "worker_error", "ticket", "overloaded", "unavailable")
"""The usual outcomes of calls, which have series from the start."""


class EarlyRefusalCount(Protocol):
    """Counts the calls that were refused before they were read."""

    refused: int


class GatewayMetrics:
    """The series of a gateway, written by its event loop's thread."""

    def __init__(self) -> None:
        self._calls = Tally.beginning(serving_metrics.GATEWAY_CALLS, OUTCOMES)
        self._answers = Histogram(serving_metrics.GATEWAY_ANSWER)
        self.responses = Tally(serving_metrics.GATEWAY_RESPONSES)
        self._waiting: tuple[PendingReplies, ConcurrencyLimit] | None = None
        self._presence: tuple[WorkerPresence, Collection[str]] | None = None
        self._refusals: EarlyRefusalCount | None = None
        self._expiry: float | None = None

    def watch(
        self,
        pending: PendingReplies,
        limit: ConcurrencyLimit,
        presence: WorkerPresence,
        streams: Collection[str],
    ) -> None:
        """Measure what waits, and whether the streams have workers."""
        self._waiting, self._presence = (pending, limit), (presence, streams)

    def watch_server(self, refusals: EarlyRefusalCount, expiry: float | None) -> None:
        """Measure early refusals, and when the certificate ends, in seconds since the epoch."""
        self._refusals, self._expiry = refusals, expiry

    def on_call(self, call: CallStats) -> None:
        """Measure a call; the trace of a sampled one becomes an exemplar."""
        self._calls.add(1, (call.outcome,))
        if call.model:
            trace_id = sampled_trace_id(call.trace) if call.trace else ""
            self._answers.observe(call.seconds, (call.model,), trace_id=trace_id)

    def app(self, app: ASGIApp) -> ASGIApp:
        """Return an application whose responses are counted by their status."""

        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_counted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self.responses.add(1, (str(message["status"]),))
                await send(message)

            await app(scope, receive, send_counted)

        return counting

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        for instrument in (self._calls, self._answers, self.responses):
            yield instrument.family()
        if self._refusals is not None:
            yield counter_family(
                serving_metrics.GATEWAY_EARLY_REFUSALS, {(): self._refusals.refused}
            )
        if self._waiting is not None:
            pending, limit = self._waiting
            yield gauge(serving_metrics.GATEWAY_IN_FLIGHT, pending.count)
            yield gauge(serving_metrics.GATEWAY_IN_FLIGHT_BYTES, pending.bytes)
            yield gauge(serving_metrics.GATEWAY_LIMIT, limit.value)
        if self._presence is not None:
            presence, streams = self._presence
            served = {(name,): float(presence.problem(name) is None) for name in streams}
            yield gauge_family(serving_metrics.GATEWAY_SERVED, served)
        if self._expiry is not None:
            yield gauge(serving_metrics.TLS_EXPIRY, self._expiry)
