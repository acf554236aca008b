"""Quarantined rows as dead letters; `modstream/operations/redrive.py` does the I/O."""

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.dead_letters import read_attempts
from modstream.broker.wire.originals import read_original
from modstream.broker.wire.records import Record
from modstream.processors.redrive.selection import DeadLetter

UNRELEASABLE_RULES = frozenset({"duplicate_id"})
"""Rules whose rows are never released: their id belongs to another row, which may be learned."""


def read_quarantined_row(record: Record) -> DeadLetter:
    """Read a record of a quarantine topic as a letter: cause is the rule, stage is the model."""
    attempts = read_attempts(record)
    try:
        quarantined = decode(Quarantined, record.value)
    except DecodeError as error:
        return DeadLetter(record.position, error.code, "", "", "", record.timestamp, attempts)
    rule = quarantined.rule
    topic = "" if rule in UNRELEASABLE_RULES else quarantined.source.topic
    source = quarantined.source
    position = f"{source.topic}:{source.partition}:{source.offset}"
    original = read_original(record)
    return DeadLetter(
        record.position,
        rule,
        "",
        quarantined.model,
        topic,
        record.timestamp,
        attempts,
        original if str(original) == position else None,
    )
