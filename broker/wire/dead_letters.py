"""Dead letters: the original record, its cause in the headers that Kafka Connect writes.

Source of the header names: KIP-298, and Connect's DeadLetterQueueReporter.

A letter can be redriven: it goes back to where it came from as it was, with headers that say of
which letter it is made and how often it has been tried. Those travel on into the next letter, so a
request that fails again keeps counting.
"""

from modstream.broker.errors import DecodeError
from modstream.broker.wire.records import Outgoing, Record
from modstream.broker.wire.topics import CONNECT, Header

REDRIVE = frozenset({Header.REDRIVE_OF, Header.ATTEMPTS})


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


def attempts_of(record: Record) -> int:
    """How often a request, or the request of a dead letter, has been tried: at least once.

    Anyone can write the header; what is no count counts as none.
    """
    text = record.header(Header.ATTEMPTS) or b""
    return max(1, int(text)) if text.isdigit() and len(text) < 10 else 1


def redriven(letter: Record) -> Outgoing:
    """The request of a dead letter as it came, bound for its topic once more.

    Key, value, timestamp and headers are untouched, but for the cause, which goes, and the two
    headers that say of which letter it is made and how often it will have been tried.
    """
    kept = tuple(
        header
        for header in letter.headers
        if not header[0].startswith(CONNECT) and header[0] not in REDRIVE
    )
    told = (
        (Header.REDRIVE_OF, letter.place.encode()),
        (Header.ATTEMPTS, str(attempts_of(letter) + 1).encode()),
    )
    topic = cause_of(letter)["topic"]
    return Outgoing(topic, letter.key, letter.value, kept + told, letter.timestamp)
