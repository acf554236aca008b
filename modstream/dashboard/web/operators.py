"""Who may see the dashboard, and who may promote: owners of the gateway's API keys."""

from collections.abc import Sequence
from enum import Enum
from hmac import compare_digest
from threading import Event
from time import monotonic, time
from typing import Protocol

import structlog

from modstream.dashboard.web.errors import SignInRefused
from modstream.producers.gateway.access import Verb
from modstream.producers.gateway.security.api_key import ApiKey, digest
from modstream.producers.gateway.security.errors import KeysUnreadable
from modstream.producers.gateway.security.scopes import ANY_STREAM
from modstream.producers.gateway.security.token_bucket import TokenBucket

ATTEMPTS_PER_SECOND = 5.0
"""How many keys are tried in a second, of all browsers together."""
READ_SECONDS = 2.0
"""How often the keys are read: how long a revoked key may go on seeing pages."""


class KeySource(Protocol):
    """Where the API keys are stored."""

    def read(self) -> Sequence[ApiKey]:
        """Return all keys.

        Raises:
            KeysUnreadable: they cannot be read at present.
        """


class Right(Enum):
    """What the owner of a key may do in the dashboard; MANAGE includes READ."""

    NONE = 0
    READ = 1
    MANAGE = 2


class Operators:
    """Checks keys: for seeing pages as they were read last, for actions as they are now."""

    def __init__(self, keys: KeySource, stream: str) -> None:
        self._source, self._stream = keys, stream
        self._attempts = TokenBucket(ATTEMPTS_PER_SECOND)
        self._known: Sequence[ApiKey] = ()
        self._problem = ""

    @property
    def has_managers(self) -> bool:
        """Whether any known key permits changes: without one, the dashboard is read-only."""
        return any(self._right(key) is Right.MANAGE for key in self._known)

    @property
    def has_keys(self) -> bool:
        """Whether any known key gives a right here."""
        return any(self._right(key) is not Right.NONE for key in self._known)

    def known_right_of(self, key_digest: str) -> Right:
        """Return the right of a key as it was known at the last reading; does not block."""
        return self._right_of(self._known, key_digest)

    def right_of(self, key_digest: str) -> Right:
        """Return the right of a key that was used to sign in; NONE once it is revoked or ended.

        Raises:
            KeysUnreadable: the keys cannot be read at present.
        """
        self._known = self._source.read()
        return self._right_of(self._known, key_digest)

    def sign_in(self, secret: str) -> ApiKey:
        """Return the key that a secret is, if it gives any right here.

        Raises:
            SignInRefused: it is unknown, ended or gives no right, or too many were tried.
            KeysUnreadable: the keys cannot be read at present.
        """
        if self._attempts.take(monotonic()):
            raise SignInRefused("too many keys were tried in this second; try again in a moment")
        self._known = self._source.read()
        key = find_key(self._known, digest(secret))
        if key is None:
            raise SignInRefused("this key is unknown, was revoked or has ended")
        if self._right(key) is Right.NONE:
            needed = f"{Verb.READ}:{self._stream} or {Verb.MANAGE}:{self._stream}"
            raise SignInRefused(f"the key {key.name} permits nothing here: it needs {needed}")
        return key

    def refresh(self) -> None:
        """Read the keys; while they cannot be read, those of before stay known."""
        try:
            self._known, self._problem = self._source.read(), ""
        except KeysUnreadable as error:
            if self._problem != str(error):
                self._problem = str(error)
                structlog.get_logger(__name__).warning("API keys unreadable", cause=str(error))

    def watch(self, stop: Event) -> None:
        """Read the keys again and again until `stop` is set."""
        while not stop.wait(READ_SECONDS):
            self.refresh()

    def _right_of(self, keys: Sequence[ApiKey], key_digest: str) -> Right:
        key = find_key(keys, key_digest)
        return Right.NONE if key is None else self._right(key)

    def _right(self, key: ApiKey) -> Right:
        streams = (self._stream, ANY_STREAM)
        if any(f"{Verb.MANAGE}:{stream}" in key.scopes for stream in streams):
            return Right.MANAGE
        if any(f"{Verb.READ}:{stream}" in key.scopes for stream in streams):
            return Right.READ
        return Right.NONE


def find_key(keys: Sequence[ApiKey], asked: str) -> ApiKey | None:
    """Return the key with a digest, None if there is none or it has ended.

    All are compared, each in constant time.
    """
    found = [key for key in keys if compare_digest(key.sha256, asked)]
    now = time() * 1000
    return next((key for key in found if key.expires is None or key.expires > now), None)
