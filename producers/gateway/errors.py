"""The gateway's errors, which callers get as JSON or as a gRPC status.

GatewayError               has an HTTP status, a code for programs, perhaps a `Retry-After`
├── InvalidCall            the call is malformed
├── BodyTooLarge           the body, or the request made of it, is too large
├── UnsupportedEncoding    the body's encoding or media type is unknown
├── NotFound               no such stream, model, version, ticket or page
├── IdempotencyConflict    the key was used for another request
├── Overloaded             too many requests wait for their answers
├── NotServing             no worker answers the stream, or a server does not respond
├── AnswerLate             no answer within the caller's time; in tickets.py
├── NotImplementedHere     an extension of the protocol that the gateway does not have
├── Unauthorized, InvalidCredentials, Forbidden, RateLimited   in access.py
└── WorkerRefusal          the worker answered with a typed error

AddressTaken               the gateway cannot listen on its address
"""

from collections.abc import Mapping
from types import MappingProxyType

from modstream.producers.errors import ProducerError

RETRY_SOON_SECONDS = 1
"""The `Retry-After` of a refusal that may pass within moments."""


class GatewayError(ProducerError):
    """A call that gets no prediction.

    `status` is the HTTP status, `code` is stable for programs, `retry_after` is in seconds,
    `headers` are further ones of its response over HTTP.
    """

    status = 500
    code = "internal_error"
    retry_after: int | None = None
    headers: Mapping[str, str] = MappingProxyType({})


class AddressTaken(ProducerError):
    """The gateway cannot listen on its address."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"the gateway cannot listen on {host}:{port}: {reason}")
        self.reason = reason


class InvalidCall(GatewayError):
    """The call is malformed."""

    status, code = 400, "invalid_call"


class BodyTooLarge(GatewayError):
    """The body, or the request made of it, is too large."""

    status, code = 413, "too_large"

    def __init__(self, limit: int, what: str = "the body") -> None:
        super().__init__(f"{what} is larger than {limit:,} bytes")


class UnsupportedEncoding(GatewayError):
    """The body's encoding or media type is unknown."""

    status, code = 415, "unsupported_encoding"


class NotFound(GatewayError):
    """There is no such stream, model, version, ticket or page."""

    status, code = 404, "not_found"


class IdempotencyConflict(GatewayError):
    """The idempotency key was used for another request."""

    status, code = 409, "idempotency_conflict"

    def __init__(self, key: str) -> None:
        super().__init__(f"the Idempotency-Key {key!r} was used for a request with another body")


class Overloaded(GatewayError):
    """Too many requests wait for their answers; nothing was sent."""

    status, code = 429, "overloaded"
    retry_after = RETRY_SOON_SECONDS


class NotServing(GatewayError):
    """No worker answers the stream, or a server does not respond."""

    status, code = 503, "unavailable"
    retry_after = RETRY_SOON_SECONDS


class NotImplementedHere(GatewayError):
    """An extension of the protocol that the gateway does not have."""

    status, code = 501, "not_implemented"


REFUSAL_STATUS: Mapping[str, int] = MappingProxyType(
    {
        "unknown_model": 404,
        "model_unavailable": 503,
        "model_loading": 503,
        "too_large": 413,
        "key_too_large": 413,
        "answer_too_large": 413,
        "deadline_exceeded": 504,
        "internal_error": 500,
        "unreadable": 500,
    }
)
"""The HTTP status of a worker's error by its code; 400 for all others, which blame the request."""


class WorkerRefusal(GatewayError):
    """The worker answered with a typed error, or moved the request to the dead letters."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = REFUSAL_STATUS.get(code, 400)
        self.retry_after = RETRY_SOON_SECONDS if self.status == 503 else None
