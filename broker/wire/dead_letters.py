"""Dead letters: original records with their cause in the headers that Kafka Connect writes.

Source of the header names: KIP-298, and Connect's DeadLetterQueueReporter.

A dead letter can be redriven: the original record is sent to its topic again, with headers that
name the dead letter and count the attempts. If the request fails again, the next dead letter keeps
those headers, so that the attempts add up.
"""

from modstream.broker.errors import DecodeError
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import CONNECT_ERROR_PREFIX, Header

REDRIVE_HEADERS = frozenset({Header.REDRIVE_OF, Header.ATTEMPTS})


def build_dead_letter(record: Record, topic: str, cause: Exception, stage: str) -> ProducerRecord:
    """Return the original record with the headers of its cause, addressed to the dead-letter topic.

    Key, value, headers and timestamp are the original ones.
    """
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
    causes = tuple((CONNECT_ERROR_PREFIX + name, fact.encode()) for name, fact in facts.items())
    return ProducerRecord(
        topic, record.key, record.value, record.headers + causes, record.timestamp
    )


def read_cause(record: Record) -> dict[str, str]:
    """Return the cause of a dead letter; keys are header names without the prefix."""
    return {
        name.removeprefix(CONNECT_ERROR_PREFIX): (value or b"").decode(errors="replace")
        for name, value in record.headers
        if name.startswith(CONNECT_ERROR_PREFIX)
    }


def read_attempts(record: Record) -> int:
    """Return how often a request or a dead letter's request has been tried, at least 1.

    Any client can write the header. A value that is not a count is read as 1.
    """
    text = record.header(Header.ATTEMPTS) or b""
    return max(1, int(text)) if text.isdigit() and len(text) < 10 else 1


def build_redriven_request(letter: Record) -> ProducerRecord:
    """Return the original request of a dead letter, addressed to its own topic again.

    Key, value, timestamp and headers are the original ones. The headers of the cause are removed;
    the headers for the dead letter's position and the number of attempts are added.
    """
    kept = tuple(
        header
        for header in letter.headers
        if not header[0].startswith(CONNECT_ERROR_PREFIX) and header[0] not in REDRIVE_HEADERS
    )
    added = (
        (Header.REDRIVE_OF, letter.position.encode()),
        (Header.ATTEMPTS, str(read_attempts(letter) + 1).encode()),
    )
    topic = read_cause(letter)["topic"]
    return ProducerRecord(topic, letter.key, letter.value, kept + added, letter.timestamp)
