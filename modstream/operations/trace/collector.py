"""The records that carry one request id, by what they are. Pure; I/O is in `search.py`."""

from typing import Generic, NamedTuple, TypeVar

from modstream.audit.lenient_messages import asked
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode, decode_answer
from modstream.broker.wire.contracts import (
    Contract,
    ErrorAnswer,
    Feedback,
    Label,
    Prediction,
    Quarantined,
    Request,
    Unjoined,
)
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics

C = TypeVar("C", bound=Contract)
M = TypeVar("M")

AMBIGUOUS = frozenset('"\\/')
"""Characters that JSON may write in several ways, as it may whatever is not printable ASCII."""


class Seen(NamedTuple, Generic[M]):
    """A record and the message in it."""

    record: Record
    message: M


class Trail:
    """A fold over records of a stream's topics, in any order of topics; others are passed over.

    A request that breaks its contract is known by the id that is legible in it, or else by its
    key, which by default is the id; its message is then the error.
    """

    def __init__(self, request_id: str, topics: Topics) -> None:
        self.id = request_id
        self.topics = topics
        self.requests: list[Seen[Request | DecodeError]] = []
        self.answers: list[Seen[Prediction | ErrorAnswer]] = []
        self.letters: list[Record] = []
        self.labels: list[Seen[Label]] = []
        self.joins: list[Seen[Feedback]] = []
        self.unjoined: list[Seen[Unjoined]] = []
        self.refused: list[Seen[Quarantined]] = []
        self._key = request_id.encode()
        self._spelling = spelling(request_id)

    @property
    def asked(self) -> bool:
        """Whether the request, or anything that came of it at once, was seen."""
        return bool(self.requests or self.answers or self.letters)

    @property
    def empty(self) -> bool:
        """Whether no record carries the id."""
        others = self.labels or self.joins or self.unjoined or self.refused
        return not (self.asked or others)

    def add(self, record: Record) -> None:
        """Take one record if it carries the id; one that breaks its contract carries none."""
        if self._cannot_carry(record):
            return
        if record.topic in {self.topics.requests, self.topics.dlq}:
            self._sent(record)
            return
        try:
            self._said(record)
        except DecodeError:
            return

    def _cannot_carry(self, record: Record) -> bool:
        """Tell most records without decoding them."""
        if self._spelling is None or record.key == self._key:
            return False
        return self._spelling not in (record.value or b"")

    def _sent(self, record: Record) -> None:
        legible = asked(record.value)
        if legible is None and record.key != self._key:
            return
        if legible is not None and legible.id != self.id:
            return
        if record.topic == self.topics.dlq:
            self.letters.append(record)
        else:
            self.requests.append(Seen(record, request_in(record)))

    def _said(self, record: Record) -> None:
        topics = self.topics
        if record.topic == topics.predictions:
            self._keep(self.answers, record, decode_answer(record))
        elif record.topic == topics.labels:
            self._keep(self.labels, record, decode(Label, record.value))
        elif record.topic == topics.feedback:
            self._keep(self.joins, record, decode(Feedback, record.value))
        elif record.topic == topics.unjoined:
            self._keep(self.unjoined, record, decode(Unjoined, record.value))
        elif record.topic == topics.quarantine:
            self._keep(self.refused, record, decode(Quarantined, record.value))

    def _keep(self, seen: list[Seen[M]], record: Record, message: M) -> None:
        if getattr(message, "id", None) == self.id:
            seen.append(Seen(record, message))


def spelling(request_id: str) -> bytes | None:
    """How an id is spelled in any JSON text, or None where there are several ways."""
    plain = request_id.isascii() and request_id.isprintable()
    return request_id.encode() if plain and not AMBIGUOUS & set(request_id) else None


def request_in(record: Record) -> Request | DecodeError:
    """A record's request, or why it is none."""
    try:
        return decode(Request, record.value)
    except DecodeError as error:
        return error
