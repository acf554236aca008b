"""What calls need, whichever protocol and route they take."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns

from modstream.broker.wire.contracts import Label
from modstream.broker.wire.records import Headers
from modstream.producers.gateway.access import AccessControl
from modstream.producers.gateway.call_stats import CallStats, OnCall, ignore_call
from modstream.producers.gateway.call_tracing import (
    UNTRACED_CALLS,
    CallResult,
    CallRoute,
    CallSpan,
    CallTracer,
)
from modstream.producers.gateway.calls import Call, Outcome
from modstream.producers.gateway.catalog import AnswerStore, ModelCatalog, StoredAnswer
from modstream.producers.gateway.data_plane import DataPlane
from modstream.producers.gateway.errors import GatewayError
from modstream.producers.gateway.presence import WorkerPresence
from modstream.producers.gateway.replies import is_of_unknown_model
from modstream.producers.gateway.settings import GatewaySettings
from modstream.producers.gateway.statistics import AnswerStatistics


@dataclass(frozen=True, slots=True)
class GatewayContext:
    """The parts of a gateway; `version` is that of modstream.

    `on_call` is called with each call for a prediction that ends. `tracer` begins the spans of
    calls.
    """

    settings: GatewaySettings
    data: DataPlane
    catalog: ModelCatalog
    presence: WorkerPresence
    statistics: AnswerStatistics
    access: AccessControl
    store: AnswerStore
    version: str
    on_call: OnCall = ignore_call
    tracer: CallTracer = UNTRACED_CALLS

    async def measured(self, call: Call) -> Outcome:
        """Return the outcome of a call, and count it for its model, if there is such a model."""
        with self.tracer.begin(call.route, call.stream, call.trace) as span:
            call.trace = span.headers
            return await self._measured(call, span)

    async def _measured(self, call: Call, span: CallSpan) -> Outcome:
        start, model, result = perf_counter_ns(), "", "ticket"
        try:
            outcome = await self.data.ask(call)
        except GatewayError as error:
            seconds = (perf_counter_ns() - start) / 1e9
            self.on_call(CallStats(error.code, "", seconds, call.trace))
            raise
        elapsed = perf_counter_ns() - start
        if (reply := outcome.reply) is not None:
            result = "worker_error" if reply.is_error else "prediction"
            if not is_of_unknown_model(reply):
                model = reply.model or outcome.ticket.model
                self.statistics.add(model, reply.version, elapsed, failed=reply.is_error)
        self.on_call(CallStats(result, model, elapsed / 1e9, call.trace))
        version = "" if reply is None else reply.version
        span.note(CallResult(result, outcome.ticket.id, model, version))
        return outcome

    async def label(
        self, route: CallRoute, stream: str, labels: Sequence[tuple[Label, str]], trace: Headers
    ) -> None:
        """Send labels, each with the key of its request; see `DataPlane.label`.

        Args:
            route: what was called.
            stream: the stream that the labels are for.
            labels: the labels with their keys.
            trace: the trace context of the caller.
        """
        with self.tracer.begin(route, stream, trace) as span:
            await self.data.label(stream, labels, span.headers)
            span.note(CallResult("labels", labels=len(labels)))

    async def find_stored(self, model: str, key: str) -> StoredAnswer | None:
        """Return the newest precomputed prediction of a key, or None."""
        return await asyncio.to_thread(self.store.get, model, key)
