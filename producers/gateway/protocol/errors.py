"""The error that this package raises.

ProtocolError          a call that the protocol does not allow, or an answer that it cannot carry
"""

from collections.abc import Mapping
from types import MappingProxyType

from modstream.producers.errors import ProducerError

GRPC_CODES: Mapping[int, str] = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        409: "ABORTED",
        413: "RESOURCE_EXHAUSTED",
        415: "INVALID_ARGUMENT",
        429: "RESOURCE_EXHAUSTED",
        500: "INTERNAL",
        501: "UNIMPLEMENTED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)
"""The name of the gRPC status code for each HTTP status."""


class ProtocolError(ProducerError):
    """A call that the protocol does not allow, or an answer that it cannot carry.

    `status` is the HTTP status, and `message` says what is wrong and what to do.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    @property
    def grpc_code(self) -> str:
        """The name of the gRPC status code: `grpc.StatusCode[error.grpc_code]`."""
        return GRPC_CODES.get(self.status, "UNKNOWN")
