"""Which quarantined rows go back to be learned. Pure; I/O is in `modstream/redrive.py`."""

from broker.codec import decode
from broker.contracts import Quarantined
from broker.dead_letters import attempts_of
from broker.errors import DecodeError
from broker.records import Record
from processors.redrive import Letter

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
