"""The sizes of records to produce, and what is left of a record that is too large.

Whatever is produced is measured first: a broker refuses a record above the limit of its topic, and
the record would be refused again after every restart.
"""

from collections.abc import Iterable
from hashlib import sha256

from modstream.broker.wire.records import Headers, ProducerRecord, Record
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Header

RECORD_OVERHEAD = 128
"""Upper bound of the bytes that a record alone in its batch needs besides key, value and headers:
61 for the batch, at most 36 for the record's lengths and times, and the client's own reserve.
Source: https://kafka.apache.org/documentation/#recordbatch."""
HEADER_OVERHEAD = 10
"""Upper bound of the bytes that a header needs besides its name and value."""
MAX_HEADERS = 64
"""Maximum number of headers that are copied from one record to another one."""
MAX_HEADER_BYTES = 32 * 1024
"""Maximum size of the headers that are copied from one record to another one, all together."""
MAX_KEY_BYTES = 32 * 1024
"""Maximum size of a key in a record that is cut."""
CUT_VALUE_BYTES = 64 * 1024
"""Size of the head of the value that a cut record keeps."""


def record_size(record: ProducerRecord | Record) -> int:
    """Return an upper bound of a record's size in bytes, as a broker measures it."""
    return (
        RECORD_OVERHEAD
        + len(record.key or b"")
        + len(record.value or b"")
        + headers_size(record.headers)
    )


def headers_size(headers: Headers) -> int:
    """Return an upper bound of the size of headers in bytes."""
    return sum(
        HEADER_OVERHEAD + len(name.encode(errors="replace")) + len(value or b"")
        for name, value in headers
    )


def fits(record: ProducerRecord | Record, limit: int = MAX_RECORD_BYTES) -> bool:
    """Return whether a topic takes a record.

    Args:
        record: the record to produce.
        limit: the topic's `max.message.bytes`.
    """
    return record_size(record) <= limit


def bounded_headers(
    headers: Iterable[tuple[str, bytes | None]],
    max_count: int = MAX_HEADERS,
    max_bytes: int = MAX_HEADER_BYTES,
) -> Headers:
    """Return the headers, in their order, as far as they fit; one that does not fit is left out."""
    kept: list[tuple[str, bytes | None]] = []
    size = 0
    for header in headers:
        needed = headers_size((header,))
        if size + needed <= max_bytes and len(kept) < max_count:
            kept.append(header)
            size += needed
    return tuple(kept)


def cut_value(
    record: ProducerRecord, position: str, limit: int = MAX_RECORD_BYTES, keep: Headers = ()
) -> ProducerRecord:
    """Return a record that fits, with the head of its value, and headers that describe the rest.

    The added headers are the size and SHA-256 of the whole value, and the position of the record
    that it was in. A key above `MAX_KEY_BYTES` is cut as well, and headers are left out where they
    exceed their bounds.

    Args:
        record: the record that is too large.
        position: the position of the original, as `topic:partition:offset`.
        limit: the topic's `max.message.bytes`.
        keep: headers of the record that are kept in any case; they must be few and small.
    """
    value = record.value or b""
    added = (*keep, *describe_original(value, position))
    room = limit - RECORD_OVERHEAD - headers_size(added)
    key = record.key if record.key is None else record.key[: max(0, min(MAX_KEY_BYTES, room // 4))]
    names = {name for name, _ in added}
    others = tuple(header for header in record.headers if header[0] not in names)
    headers = bounded_headers(others, max_bytes=max(0, min(MAX_HEADER_BYTES, room // 4)))
    room -= len(key or b"") + headers_size(headers)
    return record._replace(
        key=key,
        value=value[: max(0, min(CUT_VALUE_BYTES, room))],
        headers=(*headers, *added),
    )


def describe_original(value: bytes, position: str) -> Headers:
    """Return the headers that describe a value of which only the head is kept.

    Args:
        value: the whole value.
        position: the position of the record that it was in, as `topic:partition:offset`.
    """
    return (
        (Header.ORIGINAL_SIZE.value, str(len(value)).encode()),
        (Header.ORIGINAL_SHA256.value, sha256(value).hexdigest().encode()),
        (Header.ORIGINAL_POSITION.value, position.encode()),
    )
