"""Dead letters: the original record, its cause in the headers that Kafka Connect writes.

Source of the header names: KIP-298, and Connect's DeadLetterQueueReporter.
"""

from broker.errors import DecodeError
from broker.names import CONNECT
from broker.records import Outgoing, Record


def dead_letter(record: Record, topic: str, cause: Exception, stage: str) -> Outgoing:
    """The record as it came, key, value, headers and timestamp untouched, plus its cause."""
    code = cause.code if isinstance(cause, DecodeError) else type(cause).__name__
    facts = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "connector.name": "modstream",
        "task.id": "0",
        "stage": stage,
        "class.name": code,
        "exception.class.name": type(cause).__qualname__,
        "exception.message": str(cause)[:1000],
    }
    causes = tuple((CONNECT + name, fact.encode()) for name, fact in facts.items())
    return Outgoing(topic, record.key, record.value, record.headers + causes, record.timestamp)


def cause_of(record: Record) -> dict[str, str]:
    """What a dead letter says of its cause, by the short names (`topic`, `stage`, ...)."""
    return {
        name.removeprefix(CONNECT): (value or b"").decode(errors="replace")
        for name, value in record.headers
        if name.startswith(CONNECT)
    }
