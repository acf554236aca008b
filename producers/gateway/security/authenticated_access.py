"""Access for callers with an API key or a token; without any key, perhaps for all."""

from typing import Protocol

from modstream.producers.gateway.access import ANONYMOUS, Credentials, Unauthorized, Verb
from modstream.producers.gateway.security.api_key import PREFIX
from modstream.producers.gateway.security.known_keys import KnownKeys
from modstream.producers.gateway.security.scopes import Caller

NO_CREDENTIALS = (
    "this call needs a key: send an API key as the header X-API-Key, or as Authorization: Bearer"
)


class TokenVerifier(Protocol):
    """Verifies the tokens of another service."""

    def verify(self, token: str) -> Caller:
        """Return the caller that a token was issued for.

        Raises:
            InvalidCredentials: the token is invalid.
            NotServing: it cannot be verified at present.
        """


class AuthenticatedAccess:
    """Decides by API keys, and by tokens if there is a verifier of them."""

    def __init__(
        self, keys: KnownKeys, tokens: TokenVerifier | None, *, open_without_keys: bool
    ) -> None:
        """Take the keys.

        Args:
            keys: the API keys.
            tokens: verifies what is no API key, or None.
            open_without_keys: whether everybody may call as long as there has been no key.
        """
        self._keys, self._tokens = keys, tokens
        self._open_without_keys = open_without_keys

    def authorize(self, credentials: Credentials, verb: Verb, stream: str) -> str:
        """Return the caller's name, empty where no key is needed.

        Raises:
            Unauthorized: the credentials are missing or invalid.
            Forbidden: they do not permit this verb on this stream.
            RateLimited: the caller has sent too much.
            NotServing: the credentials cannot be checked at present.
        """
        if self._open_without_keys and not self._keys.have_existed:
            self._keys.require_known()
            return ANONYMOUS
        token = credentials.token
        if not token:
            raise Unauthorized(NO_CREDENTIALS)
        if self._tokens is not None and not token.startswith(PREFIX):
            caller = self._tokens.verify(token)
            caller.check(verb, stream)
            return caller.name
        grant = self._keys.find(token)
        grant.caller.check(verb, stream)
        self._keys.take(grant)
        return grant.caller.name
