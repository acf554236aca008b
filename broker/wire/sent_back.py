"""Whether a record was sent back from a topic of dead letters or quarantined rows, as it says.

Any client can write the header that names a letter. It counts only if that letter exists, and if
this record is the one that the letter keeps.
"""

from collections.abc import Callable
from hashlib import sha256

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.originals import MAX_DIGITS, read_original
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Header

MAX_POSITION_BYTES = 300
"""Longer positions are not read: a topic's name has at most 249 characters."""

FindRecord = Callable[[TopicPartition, int], Record | None]
"""Returns the record at a position; None if it is not there."""
Proof = Callable[[Record, str | None], bool]
"""Returns whether a record with an id was sent back from the letter that its header names."""


def no_proof(_record: Record, _request_id: str | None) -> bool:
    """Return false: without a topic of letters, no record is proved to be sent back."""
    return False


def letter_name(record: Record) -> str | None:
    """Return the position of the letter that a record names, as text; None if it names none."""
    if not record.headers:
        return None
    data = record.header(Header.REDRIVE_OF)
    if data is None or len(data) > MAX_POSITION_BYTES:
        return None
    return data.decode(errors="replace")


def parse_position(name: str) -> tuple[TopicPartition, int] | None:
    """Return the partition and the offset of `topic:partition:offset`; None if it is neither."""
    topic, *numbers = name.rsplit(":", 2)
    if len(numbers) != 2 or not all(
        one.isdecimal() and one.isascii() and len(one) <= MAX_DIGITS for one in numbers
    ):
        return None
    partition, offset = map(int, numbers)
    return TopicPartition(topic, partition), offset


def find_letter(record: Record, find: FindRecord) -> Record | None:
    """Return the letter that a record names; None if it names none that exists."""
    name = letter_name(record)
    position = None if name is None else parse_position(name)
    return None if position is None else find(*position)


def is_letter_of(
    letter: Record, record: Record, request_id: str | None, read_id: Callable[[Record], str | None]
) -> bool:
    """Return whether a dead letter keeps a request: one of its topic, with its key and id.

    The bytes are not compared, as personal features are replaced before. A letter that was cut may
    have no readable id and only a part of the key.
    """
    if read_cause(letter).get("topic") != record.topic:
        return False
    key, kept = record.key or b"", letter.key or b""
    if read_original(letter) is not None:
        return key[: len(kept)] == kept
    return key == kept and request_id is not None and read_id(letter) == request_id


def is_row_of(row: Record, record: Record) -> bool:
    """Return whether a quarantined row keeps a feedback record: its bytes, for the same model."""
    try:
        reason = decode(Quarantined, row.value)
    except DecodeError:
        return False
    if reason.source.topic != record.topic or reason.model.encode() != record.header(Header.MODEL):
        return False
    return row_digest(row) == value_digest(record.value)


def value_digest(value: bytes | None) -> str:
    """Return the SHA-256 of a value."""
    return sha256(value or b"").hexdigest()


def letter_digest(letter: Record) -> str:
    """Return the SHA-256 of the value that a dead letter keeps, which may have been cut."""
    original = read_original(letter)
    return value_digest(letter.value) if original is None else original.sha256


def row_digest(row: Record) -> str:
    """Return the SHA-256 of the feedback that a quarantined row keeps, which may have been cut."""
    original = read_original(row)
    return value_digest(row.header(Header.ORIGINAL)) if original is None else original.sha256
