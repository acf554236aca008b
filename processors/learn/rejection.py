"""Quarantine records of the feedback that a learner rejects."""

from modstream.broker.errors import UnforeseenException
from modstream.broker.loop.isolation import RecordFault
from modstream.broker.wire.codec import as_unicode, salvage_id
from modstream.broker.wire.contracts import Quarantined, SourcePosition
from modstream.broker.wire.quarantine import build_quarantined_record
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.processors.guard.hard_rules import Reason

MAX_DETAIL_CHARACTERS = 1000
"""Maximum length of the details in a quarantine record."""


def reject(
    record: Record, topic: str, model: str, reason: Reason, request_id: str | None = None
) -> ProducerRecord:
    """Return the quarantine record of rejected feedback.

    Args:
        record: the feedback.
        topic: the quarantine topic.
        model: the model that does not learn it.
        reason: the rule and the details.
        request_id: the id in the feedback, if it could be decoded; else it is salvaged.
    """
    rule, detail = reason
    rejected = Quarantined(
        id=request_id or salvaged_id(record),
        model=model,
        rule=rule,
        detail=as_unicode(detail[:MAX_DETAIL_CHARACTERS]),
        source=SourcePosition(topic=record.topic, partition=record.partition, offset=record.offset),
    )
    return build_quarantined_record(record, topic, rejected)


def set_aside(fault: RecordFault, topic: str, model: str) -> ProducerRecord:
    """Return the quarantine record of feedback that causes an unforeseen exception."""
    cause = UnforeseenException(type(fault.error).__qualname__, fault.place)
    return reject(fault.record, topic, model, (cause.code, str(cause)))


def salvaged_id(record: Record) -> str:
    """Return the id in feedback that cannot be decoded, or else its partition and offset."""
    found = salvage_id(record.value or b"")
    return found if found and found.isprintable() else f"{record.partition}:{record.offset}"
