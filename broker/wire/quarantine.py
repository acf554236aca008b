"""Quarantined feedback: the reason as the record's value, the original bytes in a header.

A quarantined row can be released: the feedback is sent to its topic again, with headers that name
the quarantined record, the model that should learn from the row, and the number of attempts.
"""

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.dead_letters import REDRIVE_HEADERS, read_attempts
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import Header


def build_quarantined_record(record: Record, topic: str, reason: Quarantined) -> ProducerRecord:
    """Return a rejected feedback record, addressed to quarantine, with its key and timestamp."""
    redrive = tuple(header for header in record.headers if header[0] in REDRIVE_HEADERS)
    headers = ((str(Header.ORIGINAL), record.value), *redrive)
    return ProducerRecord(topic, record.key, encode(reason), headers, record.timestamp)


def build_released_feedback(row: Record) -> ProducerRecord:
    """Return the original feedback of a quarantined record, addressed to its own topic again.

    Raises:
        DecodeError: the record was not made by `build_quarantined_record`.
    """
    reason = decode(Quarantined, row.value)
    headers = (
        (str(Header.REDRIVE_OF), row.position.encode()),
        (str(Header.ATTEMPTS), str(read_attempts(row) + 1).encode()),
        (str(Header.MODEL), reason.model.encode()),
    )
    original = row.header(Header.ORIGINAL)
    return ProducerRecord(reason.source.topic, row.key, original, headers, row.timestamp)
