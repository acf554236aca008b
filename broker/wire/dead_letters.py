"""Dead letters: original records with their cause in the headers that Kafka Connect writes.

Source of the header names: KIP-298, and Connect's DeadLetterQueueReporter.

A dead letter can be redriven: the original record is sent to its topic again, with headers that
name the dead letter and count the attempts. If the request fails again, the next dead letter keeps
those headers, so that the attempts add up.

A dead letter that is too large for its topic is cut: it has the head of the value, and headers that
say where the original is. It is redriven from there.
"""

from modstream.broker.errors import InternalError
from modstream.broker.wire.record_size import cut_value, fits
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import CONNECT_ERROR_PREFIX, MAX_RECORD_BYTES, Header

REDRIVE_HEADERS = frozenset(
    {Header.REDRIVE_OF, Header.ATTEMPTS, Header.SENT_BACK_BY, Header.SENT_BACK_REASON}
)
MAX_MESSAGE_LENGTH = 1000
"""Maximum number of characters of an error's text in a record."""


def build_dead_letter(
    record: Record, topic: str, cause: Exception, stage: str, limit: int = MAX_RECORD_BYTES
) -> ProducerRecord:
    """Return the original record with the headers of its cause, addressed to the dead-letter topic.

    Key, value, headers and timestamp are the original ones, but cut if the result is larger than
    `limit`, the dead-letter topic's own.
    """
    code = getattr(cause, "code", type(cause).__name__)
    kind = cause.exception if isinstance(cause, InternalError) else type(cause).__qualname__
    facts = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "connector.name": "modstream",
        "task.id": "0",
        "stage": stage,
        "class.name": code,
        "exception.class.name": kind,
        "exception.message": str(cause)[:MAX_MESSAGE_LENGTH],
    }
    causes = tuple(
        (CONNECT_ERROR_PREFIX + name, fact.encode(errors="replace")) for name, fact in facts.items()
    )
    letter = ProducerRecord(
        topic, record.key, record.value, record.headers + causes, record.timestamp
    )
    if fits(letter, limit):
        return letter
    known = {name: value for name, value in record.headers if name in REDRIVE_HEADERS}
    redrive = tuple((name, value) for name, value in known.items() if len(value or b"") < 1000)
    return cut_value(letter, record.position, limit, keep=(*redrive, *causes))


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


def build_redriven_request(letter: Record, original: Record | None = None) -> ProducerRecord:
    """Return the original request of a dead letter, addressed to its own topic again.

    Key, value, timestamp and headers are the original ones. The headers of the cause are removed;
    the headers for the dead letter's position and the number of attempts are added.

    Args:
        letter: the dead letter.
        original: the original request, if the letter was cut.
    """
    whole = letter if original is None else original
    kept = tuple(
        header
        for header in whole.headers
        if not header[0].startswith(CONNECT_ERROR_PREFIX) and header[0] not in REDRIVE_HEADERS
    )
    added = (
        (Header.REDRIVE_OF, letter.position.encode()),
        (Header.ATTEMPTS, str(read_attempts(letter) + 1).encode()),
    )
    topic = read_cause(letter)["topic"]
    return ProducerRecord(topic, whole.key, whole.value, kept + added, whole.timestamp)
