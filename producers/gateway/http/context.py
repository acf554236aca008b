"""What the routes read of an HTTP request, besides its path and body."""

from collections.abc import Sequence

import msgspec
from starlette.requests import Request

from modstream.broker.wire.records import Headers
from modstream.producers.gateway.access import Credentials, Verb
from modstream.producers.gateway.calls import Waiting
from modstream.producers.gateway.context import GatewayContext
from modstream.producers.gateway.errors import InvalidCall
from modstream.producers.gateway.http.bodies import read_body
from modstream.producers.gateway.http.preferences import read_waiting

GATEWAY = "modstream.gateway"
"""The key of the gateway's context in the scope of a request."""
HEADERS = "modstream.headers"
"""The key of the headers in the scope of a request, once they were looked up."""
TRACE_PARENT = "traceparent"
TRACE_STATE = "tracestate"
"""Headers of W3C's trace context, which travel with the request."""
IDEMPOTENCY_KEY = b"idempotency-key"
MAX_TRACE_BYTES = 1024
PREFER = b"prefer"


def context_of(request: Request) -> GatewayContext:
    """Return the context of the application that a request was sent to."""
    context: GatewayContext = request.scope[GATEWAY]
    return context


def find_header(request: Request, name: bytes) -> str | None:
    """Return the value of a header, whose name is in lower case, or None; the first, if repeated.

    The values of a repeated `Prefer` are joined, as RFC 7240 demands.
    """
    scope = request.scope
    headers: dict[bytes, bytes] | None = scope.get(HEADERS)
    if headers is None:
        headers = scope[HEADERS] = _by_name(scope["headers"])
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def header_of(request: Request, name: bytes, default: str = "") -> str:
    """Return the value of a header as `find_header` does, or a default."""
    value = find_header(request, name)
    return default if value is None else value


def _by_name(pairs: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    headers = dict(reversed(pairs))
    if len(headers) < len(pairs):
        headers[PREFER] = b",".join(value for name, value in pairs if name == PREFER)
    return headers


def authorize(request: Request, verb: Verb, stream: str) -> str:
    """Return the caller's name.

    Raises:
        Unauthorized, Forbidden, RateLimited: the call is not permitted.
    """
    credentials = Credentials(
        header_of(request, b"authorization"), header_of(request, b"x-api-key")
    )
    return context_of(request).access.authorize(credentials, verb, stream)


async def body_of(request: Request) -> bytes:
    """Return the body of a request, uncompressed.

    Raises:
        BodyTooLarge, UnsupportedEncoding, InvalidCall: as `read_body` does.
    """
    return await read_body(
        request,
        context_of(request).settings.max_body_bytes,
        header_of(request, b"content-length"),
        header_of(request, b"content-encoding", "identity"),
    )


def waiting_of(request: Request, seconds: float | None = None) -> Waiting:
    """Return how long a caller waits; `seconds` is what its body says.

    Raises:
        InvalidCall: the header `Prefer` has no number of seconds.
    """
    settings = context_of(request).settings
    prefer = header_of(request, PREFER)
    return read_waiting(prefer, settings.timeout, settings.max_timeout, seconds)


def idempotency_key_of(request: Request) -> str | None:
    """Return the key under which a request is sent once, or None."""
    return find_header(request, IDEMPOTENCY_KEY)


def trace_of(request: Request) -> Headers:
    """Return the trace context of a request."""
    found = [(name, header_of(request, name.encode())) for name in (TRACE_PARENT, TRACE_STATE)]
    return tuple((name, v.encode()) for name, v in found if 0 < len(v) <= MAX_TRACE_BYTES)


def read_json(body: bytes) -> object:
    """Return the JSON of a body.

    Raises:
        InvalidCall: it is none.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidCall(f"the body is not JSON: {error}") from None
