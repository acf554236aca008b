"""Rows of features by name: what a web developer sends and gets."""

from typing import Annotated, Any

import msgspec

from modstream.broker.wire.bounds import MAX_EVENT_TIME, MIN_EVENT_TIME
from modstream.broker.wire.identifiers import MAX_ID_LENGTH
from modstream.producers.gateway.errors import InvalidCall
from modstream.producers.gateway.protocol.infer_call import EncodedRequest
from modstream.producers.gateway.tickets import Ticket

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]


class RowCall(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The body of a request for a prediction; the worker checks the features."""

    features: msgspec.Raw
    id: Text | None = None
    key: Text | None = None
    model: Text | None = None
    version: Annotated[int, msgspec.Meta(ge=1)] | Text | None = None
    event_time: Annotated[int, msgspec.Meta(ge=MIN_EVENT_TIME, le=MAX_EVENT_TIME)] | None = None

    def encode(self, request_id: str) -> EncodedRequest:
        """Return the request as a worker reads it."""
        head: dict[str, Any] = {"id": request_id}
        if self.model is not None:
            head["model"] = self.model
        if self.version is not None:
            head["version"] = self.version
        if self.event_time is not None:
            head["event_time"] = self.event_time
        encoded = msgspec.json.encode(head)
        return EncodedRequest(b'%b,"features":%b}' % (encoded[:-1], self.features), None)


class RowPrediction(msgspec.Struct):
    """What is read of a prediction; `outputs` stay JSON."""

    id: str
    model: str
    version: int
    outputs: msgspec.Raw
    steps: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


CALL_DECODER = msgspec.json.Decoder(RowCall)
PREDICTION_DECODER = msgspec.json.Decoder(RowPrediction)


class RowAnswer(msgspec.Struct):
    """The body of an answer: `id` is the caller's, `request_id` is the one that labels name."""

    id: str
    request_id: str
    model: str
    version: int
    outputs: msgspec.Raw
    steps: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def read_row_call(body: bytes) -> RowCall:
    """Return the call that a body makes.

    Raises:
        InvalidCall: it is not JSON, or has no features or an unknown field.
    """
    try:
        return CALL_DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidCall(_describe(error)) from None


def write_row_answer(ticket: Ticket, prediction: bytes) -> bytes:
    """Return the body of the answer to a call."""
    found = PREDICTION_DECODER.decode(prediction)
    answer = RowAnswer(
        ticket.client_id or found.id,
        found.id,
        found.model,
        found.version,
        found.outputs,
        found.steps,
    )
    return msgspec.json.encode(answer)


def _describe(error: Exception) -> str:
    example = '{"features": {"x": 1.5}}'
    return f"the body is not a request such as {example}: {error}"
