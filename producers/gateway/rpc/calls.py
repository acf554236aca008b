"""What gRPC calls have in common: credentials, deadlines, and errors as status codes."""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, NoReturn, TypeVar

import grpc
import structlog
from grpc.aio import ServicerContext

from modstream.broker.wire.records import Headers
from modstream.producers.gateway.access import Credentials
from modstream.producers.gateway.calls import Waiting
from modstream.producers.gateway.errors import GatewayError
from modstream.producers.gateway.http.answers import TICKET_PATH
from modstream.producers.gateway.protocol.errors import GRPC_CODES, ProtocolError
from modstream.producers.gateway.settings import GatewaySettings
from modstream.producers.gateway.tickets import AnswerLate

Answer = TypeVar("Answer")
Context = ServicerContext[Any, Any]
Method = Callable[[Any, Any, Context], Awaitable[Answer]]
TRACE_KEYS = ("traceparent", "tracestate")
MAX_TRACE_BYTES = 1024


def answered(method: Method[Answer]) -> Method[Answer]:
    """Return a method whose errors end the call with their status code and text."""

    @wraps(method)
    async def run(servicer: Any, request: Any, context: Context) -> Answer:  # noqa: ANN401 - a stub's types
        try:
            return await method(servicer, request, context)
        except AnswerLate as error:
            context.set_trailing_metadata((("location", TICKET_PATH + error.ticket.encode()),))
            await _abort(context, error.status, str(error))
        except (GatewayError, ProtocolError) as error:
            await _abort(context, error.status, str(error))
        except Exception as error:
            if isinstance(error, grpc.aio.AbortError):
                raise
            structlog.get_logger(__name__).exception("call failed", method=method.__name__)
            kind = type(error).__name__
            await _abort(context, 500, f"the gateway failed: {kind}; see its log")

    return run


async def _abort(context: Context, status: int, text: str) -> NoReturn:
    """End a call with the code that belongs to an HTTP status."""
    code = grpc.StatusCode[GRPC_CODES.get(status, "UNKNOWN")]
    await context.abort(code, text)
    raise AssertionError


def metadata_of(context: Context) -> Mapping[str, str]:
    """Return the metadata of a call whose values are texts."""
    pairs = context.invocation_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def credentials_of(metadata: Mapping[str, str]) -> Credentials:
    """Return what a caller has sent to prove who it is."""
    return Credentials(metadata.get("authorization", ""), metadata.get("x-api-key", ""))


def waiting_of(context: Context, settings: GatewaySettings, seconds: float | None) -> Waiting:
    """Return how long a caller waits: until its deadline, or `seconds` if the request says so."""
    left = context.time_remaining()
    wanted = [one for one in (left, seconds) if one is not None]
    if not wanted:
        return Waiting(min(settings.timeout, settings.max_timeout))
    return Waiting(max(0.0, min(*wanted, settings.max_timeout)), is_deadline=True)


def trace_of(metadata: Mapping[str, str]) -> Headers:
    """Return the trace context of a call."""
    found = ((name, metadata.get(name, "").encode()) for name in TRACE_KEYS)
    return tuple((name, value) for name, value in found if 0 < len(value) <= MAX_TRACE_BYTES)
