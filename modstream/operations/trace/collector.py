"""A collector of the records with one request id, by type. Pure; the I/O is in `search.py`."""

from typing import Generic, NamedTuple, TypeVar

from modstream.audit.lenient_messages import read_request
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode, decode_response
from modstream.broker.wire.contracts import (
    Contract,
    ErrorResponse,
    Feedback,
    Label,
    Prediction,
    Quarantined,
    Request,
    Unjoined,
)
from modstream.broker.wire.event_requests import decode_any, request_record
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics

C = TypeVar("C", bound=Contract)
M = TypeVar("M")

ESCAPED_CHARACTERS = frozenset('"\\/')
"""Characters that JSON may escape, as it may all characters but printable ASCII."""


class Decoded(NamedTuple, Generic[M]):
    """A record and its decoded message."""

    record: Record
    message: M


class RecordCollector:
    """A fold over the records of a stream's topics, in any order of topics.

    A request that violates its contract is matched by the id that is readable in it, or else by
    its key, which by default is the id; its message is then the error.
    """

    def __init__(self, request_id: str, topics: Topics) -> None:
        self.id = request_id
        self.topics = topics
        self.requests: list[Decoded[Request | DecodeError]] = []
        self.responses: list[Decoded[Prediction | ErrorResponse]] = []
        self.dead_letters: list[Record] = []
        self.labels: list[Decoded[Label]] = []
        self.feedback: list[Decoded[Feedback]] = []
        self.unjoined: list[Decoded[Unjoined]] = []
        self.quarantined: list[Decoded[Quarantined]] = []
        self._key = request_id.encode()
        self._encoded_id = encode_id(request_id)

    @property
    def has_request(self) -> bool:
        """Whether the request, a response or a dead letter was found."""
        return bool(self.requests or self.responses or self.dead_letters)

    @property
    def is_empty(self) -> bool:
        """Whether no record with the id was found."""
        others = self.labels or self.feedback or self.unjoined or self.quarantined
        return not (self.has_request or others)

    def add(self, record: Record) -> None:
        """Add one record if it has the id; a record that violates its contract is ignored."""
        if self._cannot_carry(record):
            return
        if record.topic in {self.topics.requests, self.topics.dlq}:
            self._add_request(record)
            return
        try:
            self._add_message(record)
        except DecodeError:
            return

    def _cannot_carry(self, record: Record) -> bool:
        """Return whether the record certainly lacks the id, which most do, without decoding it."""
        if self._encoded_id is None or record.key == self._key:
            return False
        if any(self._encoded_id in (value or b"") for _, value in record.headers):
            return False
        return self._encoded_id not in (record.value or b"")

    def _add_request(self, record: Record) -> None:
        request = read_request(request_record(record).value)
        if request is None and record.key != self._key:
            return
        if request is not None and request.id != self.id:
            return
        if record.topic == self.topics.dlq:
            self.dead_letters.append(record)
        else:
            self.requests.append(Decoded(record, decode_request(record)))

    def _add_message(self, record: Record) -> None:
        topics = self.topics
        if record.topic == topics.predictions:
            self._append_if_matching(self.responses, record, decode_response(record))
        elif record.topic == topics.labels and record.header(Header.FORWARDED_FROM) is None:
            self._append_if_matching(self.labels, record, decode(Label, record.value))
        elif record.topic == topics.feedback:
            self._append_if_matching(self.feedback, record, decode(Feedback, record.value))
        elif record.topic == topics.unjoined:
            self._append_if_matching(self.unjoined, record, decode(Unjoined, record.value))
        elif record.topic == topics.quarantine:
            self._append_if_matching(self.quarantined, record, decode(Quarantined, record.value))

    def _append_if_matching(self, found: list[Decoded[M]], record: Record, message: M) -> None:
        if getattr(message, "id", None) == self.id:
            found.append(Decoded(record, message))


def encode_id(request_id: str) -> bytes | None:
    """Return the bytes of an id in any JSON text, or None if JSON may encode it in several ways."""
    plain = request_id.isascii() and request_id.isprintable()
    return request_id.encode() if plain and not ESCAPED_CHARACTERS & set(request_id) else None


def decode_request(record: Record) -> Request | DecodeError:
    """Decode a request; return the error if it violates its contract."""
    try:
        return decode_any(record)
    except DecodeError as error:
        return error
