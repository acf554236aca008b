"""Spans as a request of OTLP.

Spans of batches are encoded here, because the SDK's encoder takes 40 us for one, and 5 us for each
of its links; all others by the SDK's encoder.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags
from opentelemetry.sdk.trace import ReadableSpan

from modstream.telemetry.traces.batch_spans import BatchAttributes, BatchSpan

IS_REMOTE_KNOWN: int = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
IS_REMOTE: int = SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
RESOURCE_SPANS = b"\x0a"
"""The tag of the field `resource_spans`, 1, in an `ExportTraceServiceRequest`."""
SCOPE_SPANS = b"\x12"
"""The tag of the field `scope_spans`, 2, in a `ResourceSpans`."""
SPANS = b"\x12"
"""The tag of the field `spans`, 2, in a `ScopeSpans`."""
MAX_CACHED = 4096
"""Number of encoded attributes that are kept: most are the same for all batches."""


def serialize(spans: Sequence[ReadableSpan]) -> bytes:
    """Return the request of OTLP that sends some spans, as bytes."""
    request = encode_spans([one for one in spans if not isinstance(one, BatchSpan)])
    parts = [request.SerializeToString()]
    batches = (one for one in spans if isinstance(one, BatchSpan))
    for _, group in groupby(batches, lambda one: (id(one.resource), one.instrumentation_scope)):
        parts.append(field(RESOURCE_SPANS, encode_group(list(group))))
    return b"".join(parts)


def encode_group(spans: Sequence[BatchSpan]) -> bytes:
    """Return the message `ResourceSpans` of spans that have the same process and scope."""
    described = encode_spans([without_content(spans[0])]).resource_spans[0]
    scope = described.scope_spans[0]
    del scope.spans[:]
    encoded = [scope.SerializeToString(), *(field(SPANS, encode_batch_span(s)) for s in spans)]
    del described.scope_spans[:]
    return described.SerializeToString() + field(SCOPE_SPANS, b"".join(encoded))


def without_content(span: BatchSpan) -> ReadableSpan:
    """Return a span of the same process and scope, with which the SDK's encoder writes these."""
    return ReadableSpan(
        "",
        span.context,
        resource=span.resource,
        start_time=0,
        end_time=0,
        instrumentation_scope=span.instrumentation_scope,
    )


def encode_batch_span(span: BatchSpan) -> bytes:
    """Return the message of a batch's span."""
    context, parent = span.context, span.parent
    message = Span(
        trace_id=context.trace_id.to_bytes(16),
        span_id=context.span_id.to_bytes(8),
        parent_span_id=b"" if parent is None else parent.span_id.to_bytes(8),
        name=span.name,
        kind=Span.SPAN_KIND_CONSUMER,
        start_time_unix_nano=span.times[0],
        end_time_unix_nano=span.times[1],
        flags=IS_REMOTE_KNOWN | (0 if parent is None else IS_REMOTE),
    )
    attributes = encode_attributes(span.own_attributes)
    return b"".join((message.SerializeToString(), attributes, span.contexts.encoded))


def field(tag: bytes, message: bytes) -> bytes:
    """Return a message as a field of another one; fields of a message may have any order."""
    length, size = bytearray(), len(message)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return b"".join((tag, length, message))


def encode_attributes(attributes: BatchAttributes) -> bytes:
    """Return attributes as the fields `attributes` of a span's message."""
    return b"".join(encode_attribute(key, value) for key, value in attributes.items())


@lru_cache(MAX_CACHED)
def encode_attribute(key: str, value: str | int | tuple[str, ...]) -> bytes:
    """Return one attribute likewise."""
    return Span(attributes=[KeyValue(key=key, value=any_value(value))]).SerializeToString()


def any_value(value: str | int | tuple[str, ...]) -> AnyValue:
    """Return the message of an attribute's value."""
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
