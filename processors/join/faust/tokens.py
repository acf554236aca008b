"""Access tokens of an OpenID provider for the joiner's Kafka client."""

import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import aiohttp
from aiokafka.abc import AbstractTokenProvider

from modstream.processors.errors import TokenRefused

TIMEOUT_S = 10.0
REFRESH_SHARE = 0.8
"""The share of a token's life after which the next one is fetched."""
DEFAULT_LIFE_S = 60.0
"""How long a token is used of which the provider does not say how long it is valid."""


@dataclass(slots=True)
class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc] # aiokafka has no types
    """Tokens for a client id and its secret (RFC 6749, section 4.4), fetched when they are due.

    Attributes:
        url: the provider's token endpoint.
        client_id: the client id.
        secret: its secret.
        scope: the scope that is asked for; empty for the provider's default.
        context: the TLS context of the connection to the provider; None for http.
        clock: returns the seconds of a clock that never goes back.
    """

    url: str
    client_id: str
    secret: str = field(repr=False)
    scope: str = ""
    context: ssl.SSLContext | None = None
    clock: Callable[[], float] = monotonic
    _token: str = field(default="", repr=False)
    _due: float = 0.0

    async def token(self) -> str:
        """Return a valid token.

        Raises:
            TokenRefused: the provider issues none, or cannot be reached.
        """
        if not self._token or self.clock() >= self._due:
            await self._fetch()
        return self._token

    async def _fetch(self) -> None:
        form = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {})
        login = b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        limit = aiohttp.ClientTimeout(TIMEOUT_S)
        asked = self.clock()
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.post(
                    self.url, data=form, headers=headers, ssl=self.context or True
                ) as answer,
            ):
                if answer.status != 200:
                    raise TokenRefused(self.url, f"it answers with status {answer.status}")
                found = await answer.json(content_type=None)
            self._token = str(found["access_token"])
            life = float(found.get("expires_in", DEFAULT_LIFE_S))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TokenRefused(self.url, str(error) or type(error).__name__) from error
        except (ValueError, TypeError, KeyError) as error:
            raise TokenRefused(self.url, "its answer has no token") from error
        self._due = asked + life * REFRESH_SHARE
