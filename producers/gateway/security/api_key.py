"""API keys: 256 random bits that only their owner has; the gateway keeps their SHA-256.

A plain hash suffices for that much randomness: there is nothing to guess, so nothing to slow down.
"""

import re
from hashlib import sha256
from secrets import token_urlsafe
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from modstream.producers.gateway.security.errors import InvalidScope
from modstream.producers.gateway.security.scopes import Scope

PREFIX = "modstream_"
"""How every key begins, so that scanners of repositories and logs recognize one."""
RANDOM_BYTES = 32
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

Milliseconds = Annotated[int, Field(ge=0)]


class ApiKey(BaseModel):
    """What is stored of a key; times are in ms since the epoch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=f"^{NAME.pattern}$")
    """Names the caller in errors, and separates its idempotency keys from those of others."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Hash of the key, in hexadecimal digits."""
    scopes: tuple[str, ...] = Field(min_length=1)
    """What the key permits, each VERB:STREAM."""
    rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Limit in requests per second; None for none."""
    expires: Milliseconds | None = None
    """When the key ends; None for never."""
    created: Milliseconds

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for text in scopes:
                Scope.parse(text)
        except InvalidScope as error:
            raise ValueError(str(error)) from None
        return scopes


class NewKey(NamedTuple):
    """A new key: the secret for its owner, and what is stored of it."""

    secret: str
    record: ApiKey


def create_key(
    name: str, scopes: tuple[str, ...], rate: float | None, expires: int | None, now: int
) -> NewKey:
    """Return a new random key; nothing is stored.

    Args:
        name: its name, which matches NAME.
        scopes: what it permits, each VERB:STREAM.
        rate: limit in requests per second, or None.
        expires: when it ends, in ms since the epoch, or None.
        now: the present, in ms since the epoch.
    """
    secret = PREFIX + token_urlsafe(RANDOM_BYTES)
    record = ApiKey(
        name=name, sha256=digest(secret), scopes=scopes, rate=rate, expires=expires, created=now
    )
    return NewKey(secret, record)


def digest(secret: str) -> str:
    """Return the SHA-256 of a key in hexadecimal digits."""
    return sha256(secret.encode(errors="surrogatepass")).hexdigest()
