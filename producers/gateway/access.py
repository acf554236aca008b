"""Who may call the gateway, and for what."""

from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol

from modstream.producers.gateway.errors import GatewayError

ANONYMOUS = ""
"""The name of a caller where no key is needed."""


class Verb(StrEnum):
    """What a call does with a stream."""

    PREDICT = "predict"
    """Ask for predictions, and redeem tickets."""
    LABEL = "label"
    """Send labels."""
    READ = "read"
    """Look up precomputed predictions, the metadata of models, statistics and the dashboard."""
    MANAGE = "manage"
    """Promote and roll back models in the dashboard."""


class Credentials(NamedTuple):
    """What a caller has sent to prove who it is: the values of two headers, or of gRPC metadata."""

    authorization: str = ""
    api_key: str = ""

    @property
    def token(self) -> str:
        """The API key or bearer token, or an empty text."""
        if self.api_key:
            return self.api_key
        scheme, _, token = self.authorization.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


class Unauthorized(GatewayError):
    """The call has no key and no token."""

    status, code = 401, "unauthorized"
    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="modstream"'})


class InvalidCredentials(Unauthorized):
    """The call has a key or a token that is not valid."""

    headers = MappingProxyType(
        {"WWW-Authenticate": 'Bearer realm="modstream", error="invalid_token"'}
    )


class Forbidden(GatewayError):
    """The caller's key does not permit this."""

    status, code = 403, "forbidden"
    headers = MappingProxyType(
        {"WWW-Authenticate": 'Bearer realm="modstream", error="insufficient_scope"'}
    )


class RateLimited(GatewayError):
    """The caller has sent more requests than its key permits."""

    status, code = 429, "rate_limited"

    def __init__(self, name: str, rate: float, retry_after: int) -> None:
        super().__init__(f"the key {name} permits {rate:g} requests a second")
        self.retry_after = retry_after


class AccessControl(Protocol):
    """Decides about calls; it does not block."""

    def authorize(self, credentials: Credentials, verb: Verb, stream: str) -> str:
        """Return the caller's name, empty where no key is needed.

        Raises:
            Unauthorized: the credentials are missing or invalid.
            Forbidden: they do not permit this verb on this stream.
            RateLimited: the caller has sent too much.
            NotServing: the credentials cannot be checked at present.
        """


class OpenAccess:
    """Permits everything; for loopback addresses."""

    def authorize(self, credentials: Credentials, verb: Verb, stream: str) -> str:  # noqa: ARG002
        """Return the name of every caller, which is empty."""
        return ANONYMOUS
