"""Spans of the calls that a gateway answers."""

from typing import Self

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from modstream.broker.wire.records import Headers
from modstream.broker.wire.trace_context import TRACE_STATE, read_trace_parent
from modstream.producers.gateway.call_tracing import (
    CallResult,
    CallRoute,
    CallSpan,
    UntracedCall,
)
from modstream.producers.gateway.errors import GatewayError
from modstream.telemetry.traces import conventions as names
from modstream.telemetry.traces.send_spans import context_of, with_context

SERVER_FAULT = 500
"""The smallest status that says that a call failed because of the server."""


class CallSpans:
    """Begins the span of each call, in the caller's trace or in one of its own.

    A trace context that is not valid is ignored, and replaced if the call is sampled.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def begin(self, route: CallRoute, stream: str, trace: Headers) -> CallSpan:
        """Begin the span of a call; one that is not sampled has none."""
        parent = read_trace_parent(trace)
        if parent is not None and not parent.is_sampled:
            return UntracedCall(trace)
        inherited = Context() if parent is None else context_of(parent, trace)
        name, attributes = describe(route)
        attributes[names.STREAM] = stream
        span = self._tracer.start_span(name, inherited, SpanKind.SERVER, attributes)
        context = span.get_span_context()
        if not context.trace_flags.sampled:
            return UntracedCall(trace)
        kept = trace if parent is not None else tuple(o for o in trace if o[0] != TRACE_STATE)
        return RecordedCall(span, with_context(kept, context))


class RecordedCall:
    """The span of a call, which its context ends."""

    def __init__(self, span: Span, headers: Headers) -> None:
        self._span = span
        self.headers = headers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        """End the span; an exception is noted."""
        if isinstance(error, GatewayError):
            self._fail(error.code, error.status, str(error))
        elif kind is not None:
            self._fail(kind.__qualname__, SERVER_FAULT, str(error))
        self._span.end()

    def note(self, result: CallResult) -> None:
        """Note what became of the call."""
        found: dict[str, AttributeValue] = {names.OUTCOME: result.outcome}
        if result.request_id:
            found[names.REQUEST_ID] = result.request_id
        if result.model:
            found[names.MODEL_NAME] = result.model
        if result.version.isdecimal():
            found[names.MODEL_VERSION] = int(result.version)
        if result.labels is not None:
            found[names.LABELS] = result.labels
        self._span.set_attributes(found)

    def _fail(self, code: str, status: int, text: str) -> None:
        self._span.set_attributes({names.OUTCOME: code, names.ERROR_TYPE: code})
        if status >= SERVER_FAULT:
            self._span.set_status(Status(StatusCode.ERROR, text))


def describe(route: CallRoute) -> tuple[str, dict[str, AttributeValue]]:
    """Return the name of a call's span, and its attributes."""
    if route.protocol == "grpc":
        return route.name, {names.RPC_SYSTEM: "grpc", names.RPC_METHOD: route.name}
    attributes: dict[str, AttributeValue] = {
        names.HTTP_METHOD: "POST",
        names.HTTP_ROUTE: route.name,
    }
    return f"POST {route.name}", attributes
