"""Quarantined feedback: the reason as the record's value, the original bytes in a header.

A quarantined row can be released: the feedback is sent to its topic again, with headers that name
the quarantined record, the model that should learn from the row, and the number of attempts.

Feedback that is too large for the header is cut there; it is released from its own topic.
"""

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.dead_letters import REDRIVE_HEADERS, read_attempts
from modstream.broker.wire.record_size import (
    CUT_VALUE_BYTES,
    MAX_KEY_BYTES,
    describe_original,
    fits,
)
from modstream.broker.wire.records import Headers, ProducerRecord, Record
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Header


def build_quarantined_record(
    record: Record, topic: str, reason: Quarantined, limit: int = MAX_RECORD_BYTES
) -> ProducerRecord:
    """Return a rejected feedback record, addressed to quarantine, with its key and timestamp.

    If the result is larger than `limit`, the quarantine topic's own, only the head of the feedback
    is kept.
    """
    known = {name: value for name, value in record.headers if name in REDRIVE_HEADERS}
    redrive = tuple((name, value) for name, value in known.items() if len(value or b"") < 1000)
    headers: Headers = ((str(Header.ORIGINAL), record.value), *redrive)
    whole = ProducerRecord(topic, record.key, encode(reason), headers, record.timestamp)
    if fits(whole, limit):
        return whole
    value = record.value or b""
    room = max(0, min(CUT_VALUE_BYTES, limit // 4))
    cut: Headers = ((str(Header.ORIGINAL), value[:room]),)
    key = None if record.key is None else record.key[: min(MAX_KEY_BYTES, limit // 4)]
    return whole._replace(
        key=key, headers=(*cut, *redrive, *describe_original(value, record.position))
    )


def build_released_feedback(row: Record, original: Record | None = None) -> ProducerRecord:
    """Return the original feedback of a quarantined record, addressed to its own topic again.

    Args:
        row: the quarantined record.
        original: the original feedback record, if the quarantined one was cut.

    Raises:
        DecodeError: the record was not made by `build_quarantined_record`.
    """
    reason = decode(Quarantined, row.value)
    headers = (
        (str(Header.REDRIVE_OF), row.position.encode()),
        (str(Header.ATTEMPTS), str(read_attempts(row) + 1).encode()),
        (str(Header.MODEL), reason.model.encode()),
    )
    value = row.header(Header.ORIGINAL) if original is None else original.value
    key = row.key if original is None else original.key
    return ProducerRecord(reason.source.topic, key, value, headers, row.timestamp)
