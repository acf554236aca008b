"""The trace contexts of a batch's records, as links of one span.

A link that the SDK creates and encodes takes 7 us, almost as long as a worker takes for a record.
These are encoded together, as OTLP's protobuf messages; link objects are only made where they are
read in this process (docs/adr/0030).
"""

from binascii import unhexlify
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from opentelemetry.trace import Link, SpanContext, TraceFlags

SAMPLED = TraceFlags(TraceFlags.SAMPLED)
ID_BYTES = 26
"""Bytes of a `traceparent`: a version, 16 of a trace id, 8 of a span id, and flags."""
BEGIN = b"\x6a\x21\x0a\x10"
"""Span.links, field 13: a message of 33 bytes; in it Link.trace_id, field 1, of 16 bytes."""
MIDDLE = b"\x12\x08"
"""Link.span_id, field 2, of 8 bytes."""
END = b"\x35\x01\x03\x00\x00"
"""Link.flags, field 6: sampled, and known to be of another process."""
TEMPLATE = np.frombuffer(BEGIN + bytes(16) + MIDDLE + bytes(8) + END, np.uint8)
MANY = 32
"""Number of contexts from which arrays are faster than one after the other."""
TRACE_ID = slice(4, 20)
SPAN_ID = slice(22, 30)


@dataclass(frozen=True, slots=True)
class RecordContexts:
    """Span contexts in their order; `encoded` has them as OTLP's protobuf fields `Span.links`."""

    encoded: bytes

    @classmethod
    def of(cls, values: Sequence[bytes]) -> "RecordContexts":
        """Return the contexts that valid and sampled values of `traceparent` name.

        Args:
            values: 55 bytes each.
        """
        if len(values) < MANY:
            return cls(b"".join(map(encode_link, values)))
        digits = b"".join(values).translate(None, b"-")
        ids = np.frombuffer(unhexlify(digits), np.uint8).reshape(-1, ID_BYTES)
        links = np.tile(TEMPLATE, (len(ids), 1))
        links[:, TRACE_ID] = ids[:, 1:17]
        links[:, SPAN_ID] = ids[:, 17:25]
        return cls(links.tobytes())

    def __len__(self) -> int:
        """Return the number of contexts."""
        return len(self.encoded) // len(TEMPLATE)

    def contexts(self) -> Iterator[SpanContext]:
        """Yield the contexts."""
        for start in range(0, len(self.encoded), len(TEMPLATE)):
            link = self.encoded[start : start + len(TEMPLATE)]
            trace_id = int.from_bytes(link[TRACE_ID])
            yield SpanContext(trace_id, int.from_bytes(link[SPAN_ID]), True, SAMPLED)

    def links(self) -> tuple[Link, ...]:
        """Return the contexts as links of the SDK."""
        return tuple(map(Link, self.contexts()))


def encode_link(value: bytes) -> bytes:
    """Return the context that one `traceparent` names as a link of a span in OTLP."""
    return b"".join((BEGIN, unhexlify(value[3:35]), MIDDLE, unhexlify(value[36:52]), END))
