"""Spans of sent records."""

from opentelemetry import context as current
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)

from modstream.broker.client.publisher import UNKNOWN_OFFSET, DeliveryReport
from modstream.broker.wire.records import Headers, ProducerRecord
from modstream.broker.wire.trace_context import (
    TRACE_PARENT,
    TRACE_STATE,
    TraceParent,
    read_trace_parent,
)
from modstream.producers.ports import OnDelivery
from modstream.telemetry.traces import conventions as names


class SendSpans:
    """Begins the spans of records that are about to be sent.

    A record with a sampled trace context continues that trace, and gets the context of its span. A
    record with one that is not sampled, or is not valid, stays as it is.
    """

    def __init__(self, tracer: Tracer, *, begins: bool = False) -> None:
        """Prepare.

        Args:
            tracer: begins the spans.
            begins: whether a record without a trace context continues the current span of the
                program, or else begins a trace.
        """
        self._tracer = tracer
        self._begins = begins

    def __call__(
        self, record: ProducerRecord, on_delivery: OnDelivery | None
    ) -> tuple[ProducerRecord, OnDelivery | None]:
        """Return the record with the context of its span, and a callback that ends the span."""
        parent = read_trace_parent(record.headers)
        has_context = any(name == TRACE_PARENT for name, _ in record.headers)
        if not parent.is_sampled if parent is not None else has_context or not self._begins:
            return record, on_delivery
        inherited = current.get_current() if parent is None else context_of(parent, record.headers)
        span = self._tracer.start_span(
            names.span_name(names.SEND, record.topic),
            inherited,
            SpanKind.PRODUCER,
            {
                names.MESSAGING_SYSTEM: names.KAFKA,
                names.OPERATION_NAME: names.SEND,
                names.OPERATION_TYPE: names.SEND,
                names.DESTINATION: record.topic,
            },
        )
        if not span.get_span_context().trace_flags.sampled:
            return record, on_delivery

        def end(report: DeliveryReport) -> None:
            end_span(span, report)
            if on_delivery is not None:
                on_delivery(report)

        headers = with_context(record.headers, span.get_span_context())
        return record._replace(headers=headers), end


def end_span(span: Span, report: DeliveryReport) -> None:
    """End the span of a record by its delivery report."""
    if report.record is not None:
        span.set_attribute(names.PARTITION, str(report.record.partition))
        if report.record.offset != UNKNOWN_OFFSET:
            span.set_attribute(names.OFFSET, report.record.offset)
    elif report.error is not None:
        span.set_attribute(names.ERROR_TYPE, type(report.error).__name__)
        span.set_status(Status(StatusCode.ERROR, str(report.error)))
    span.end()


def context_of(parent: TraceParent, headers: Headers) -> current.Context:
    """Return the context of a span in another process, as headers name it."""
    state = (dict(headers).get(TRACE_STATE) or b"").decode("latin-1")
    remote = SpanContext(
        int(parent.trace_id, 16),
        int(parent.span_id, 16),
        True,
        TraceFlags(int(parent.is_sampled)),
        TraceState.from_header([state]) if state else None,
    )
    return set_span_in_context(NonRecordingSpan(remote))


def with_context(headers: Headers, context: SpanContext) -> Headers:
    """Return the headers of a record with the context of its span instead of any other."""
    value = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    kept = (one for one in headers if one[0] != TRACE_PARENT)
    return (*kept, (TRACE_PARENT, value.encode()))
