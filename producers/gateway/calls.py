"""Calls: what a caller asks for, whichever protocol it speaks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from modstream.broker.wire.records import Headers
from modstream.broker.wire.topics import Topics
from modstream.producers.gateway.call_tracing import UNKNOWN_ROUTE, CallRoute
from modstream.producers.gateway.protocol.infer_call import EncodedRequest
from modstream.producers.gateway.replies import Reply
from modstream.producers.gateway.tickets import AnswerForm, Ticket


class StreamRoute(NamedTuple):
    """A stream that callers may ask: its topics, and the models that answer it."""

    topics: Topics
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long a caller waits, in seconds.

    `is_deadline`: the caller has no use for a later answer, so that workers need not make it.
    `is_async`: the caller takes a ticket instead of an answer; with `seconds` above 0, only if
    there is no answer by then.
    """

    seconds: float
    is_deadline: bool = False
    is_async: bool = False


@dataclass(slots=True)
class Call:
    """A request for a prediction.

    `encode` returns the record's value for a request id. `key` is the key that joins labels.
    `digest` tells whether a repeated `idempotency_key` comes with the same request. `route` is what
    was called.
    """

    stream: str
    model: str | None
    form: AnswerForm
    encode: Callable[[str], EncodedRequest]
    waiting: Waiting
    client_id: str | None = None
    key: str | None = None
    idempotency_key: str | None = None
    digest: str = ""
    caller: str = ""
    trace: Headers = field(default=())
    route: CallRoute = UNKNOWN_ROUTE


class Outcome(NamedTuple):
    """What became of a call: a reply, or with None the ticket of one that is awaited."""

    ticket: Ticket
    reply: Reply | None
