"""Tickets: what any gateway needs to find the answer to a request in its topic."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BinasciiError
from typing import Annotated, Literal

import msgspec

from modstream.broker.wire.identifiers import MAX_ID_LENGTH
from modstream.producers.gateway.errors import GatewayError, NotFound
from modstream.producers.gateway.protocol.call_parameters import MAX_KEY_LENGTH

MAX_TICKET_LENGTH = 8192
"""More than the longest ticket has, whose key has `MAX_KEY_LENGTH` characters of four bytes."""
AnswerForm = Literal["oip", "row"]
"""An answer is an inference response of the Open Inference Protocol, or has outputs by name."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
Time = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Ticket(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A request's stream, partition, id and key, and when it was sent, in ms since the epoch.

    `model` is the model whose answer is awaited, empty for the first answer.
    `client_id` is the id that the caller gave.
    """

    stream: Text
    partition: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
    id: Text
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY_LENGTH)]
    sent_at: Time
    model: Annotated[str, msgspec.Meta(max_length=MAX_ID_LENGTH)]
    form: AnswerForm
    client_id: Annotated[str, msgspec.Meta(max_length=MAX_ID_LENGTH)] | None = None

    def encode(self) -> str:
        """Return the ticket as text for a URL."""
        return urlsafe_b64encode(msgspec.msgpack.encode(self)).rstrip(b"=").decode()


class AnswerLate(GatewayError):
    """No answer arrived within the caller's time; `ticket` finds a later one."""

    status, code = 504, "late"

    def __init__(self, seconds: float, ticket: Ticket) -> None:
        super().__init__(f"no answer within {seconds:g} s; it may still come: see Location")
        self.ticket = ticket


DECODER = msgspec.msgpack.Decoder(Ticket)


def decode_ticket(text: str) -> Ticket:
    """Return the ticket of a URL.

    Raises:
        NotFound: the text is no ticket.
    """
    padded = text[:MAX_TICKET_LENGTH] + "=" * (-len(text) % 4)
    try:
        return DECODER.decode(urlsafe_b64decode(padded.encode("ascii")))
    except (BinasciiError, ValueError, msgspec.MsgspecError):
        raise NotFound("this is not a ticket that a gateway has given") from None
