"""Select the quarantined rows to release; `modstream/operations/redrive.py` does the I/O."""

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.dead_letters import attempts_of
from modstream.broker.wire.records import Record
from modstream.processors.redrive.selection import Letter

FINAL = frozenset({"duplicate_id"})
"""Rules whose rows have no way back: the id belongs to another row, which may be learned."""


def row_of(record: Record) -> Letter:
    """Read a record of a quarantine topic: its cause is the rule, its stage the model's name."""
    attempts = attempts_of(record)
    try:
        refused = decode(Quarantined, record.value)
    except DecodeError as error:
        return Letter(record.place, error.code, "", "", "", record.timestamp, attempts)
    topic = "" if refused.rule in FINAL else refused.source.topic
    return Letter(record.place, refused.rule, "", refused.model, topic, record.timestamp, attempts)
