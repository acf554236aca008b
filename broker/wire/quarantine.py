"""Quarantined feedback: what the guard says of it as the value, the record's own bytes in a header.

A quarantined row can be released: the feedback goes back to its topic as it was, with headers that
say of which quarantined record it is made, for which model, and how often it has been tried.
"""

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.dead_letters import REDRIVE, attempts_of
from modstream.broker.wire.records import Outgoing, Record
from modstream.broker.wire.topics import Header


def quarantine(record: Record, topic: str, refused: Quarantined) -> Outgoing:
    """A refused feedback record, bound for quarantine; it keeps its key and its time."""
    tried = tuple(header for header in record.headers if header[0] in REDRIVE)
    headers = ((str(Header.ORIGINAL), record.value), *tried)
    return Outgoing(topic, record.key, encode(refused), headers, record.timestamp)


def released(row: Record) -> Outgoing:
    """The feedback of a quarantined record as it came, bound for its topic once more.

    Raises:
        DecodeError: the record is none that `quarantine` made.
    """
    refused = decode(Quarantined, row.value)
    headers = (
        (str(Header.REDRIVE_OF), row.place.encode()),
        (str(Header.ATTEMPTS), str(attempts_of(row) + 1).encode()),
        (str(Header.MODEL), refused.model.encode()),
    )
    original = row.header(Header.ORIGINAL)
    return Outgoing(refused.source.topic, row.key, original, headers, row.timestamp)
