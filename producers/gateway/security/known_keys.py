"""The API keys as the gateway knows them: read in a background thread, looked up without I/O."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from threading import Event
from time import monotonic, time
from typing import Protocol

import structlog

from modstream.producers.gateway.access import InvalidCredentials, RateLimited
from modstream.producers.gateway.errors import NotServing
from modstream.producers.gateway.security.api_key import ApiKey, digest
from modstream.producers.gateway.security.errors import KeysUnreadable
from modstream.producers.gateway.security.scopes import Caller, Scope
from modstream.producers.gateway.security.token_bucket import TokenBucket

READ_SECONDS = 1.0
"""How often the keys are read: how long a revoked key may go on being valid."""


class KeySource(Protocol):
    """Where the keys are stored."""

    def read(self) -> Sequence[ApiKey]:
        """Return all keys.

        Raises:
            KeysUnreadable: they cannot be read at present.
        """


class Grant:
    """A key with the requests that it may still send."""

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.caller = Caller(key.name, frozenset(map(Scope.parse, key.scopes)))
        self.bucket = None if key.rate is None else TokenBucket(key.rate)

    def take(self, now: float) -> None:
        """Count a request.

        Raises:
            RateLimited: the key permits no further one yet.
        """
        if self.bucket is not None and (seconds := self.bucket.take(now)):
            raise RateLimited(self.key.name, self.bucket.rate, seconds)


class KnownKeys:
    """The keys of the last successful reading; they go on being valid while none succeeds."""

    def __init__(
        self,
        source: KeySource,
        *,
        clock: Callable[[], float] = time,
        steady_clock: Callable[[], float] = monotonic,
    ) -> None:
        """Know no keys yet.

        Args:
            source: where they are stored.
            clock: the time in seconds since the epoch, for the ends of keys.
            steady_clock: a time in seconds that does not go back, for rates.
        """
        self._source = source
        self._clock, self._steady_clock = clock, steady_clock
        self._grants: Mapping[str, Grant] | None = None
        self._problem = "they were not read yet"
        self._had_keys = False
        self._log = structlog.get_logger(__name__)

    @property
    def have_existed(self) -> bool:
        """Whether a reading has found a key; it stays so when the last key is revoked."""
        return self._had_keys

    @property
    def are_known(self) -> bool:
        """Whether a reading has succeeded."""
        return self._grants is not None

    @property
    def problem(self) -> str:
        """Why the last reading failed; empty if it succeeded."""
        return self._problem

    def find(self, secret: str) -> Grant:
        """Return the grant of a key; constant in time as to the content of a wrong one.

        Raises:
            InvalidCredentials: the key is unknown, revoked or expired.
            NotServing: no reading of the keys has succeeded yet.
        """
        grants = self.require_known()
        asked = digest(secret)
        grant = grants.get(asked)
        if grant is None or not compare_digest(grant.key.sha256, asked):
            raise InvalidCredentials("this API key is unknown or revoked")
        expires = grant.key.expires
        if expires is not None and expires <= self._clock() * 1000:
            ended = f"{datetime.fromtimestamp(expires / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
            raise InvalidCredentials(f"the API key {grant.key.name} ended at {ended}")
        return grant

    def require_known(self) -> Mapping[str, Grant]:
        """Return the grants by the hashes of their keys.

        Raises:
            NotServing: no reading of the keys has succeeded yet.
        """
        if self._grants is None:
            raise NotServing(f"the API keys are not known: {self._problem}")
        return self._grants

    def take(self, grant: Grant) -> None:
        """Count a request of a key.

        Raises:
            RateLimited: the key permits no further one yet.
        """
        grant.take(self._steady_clock())

    def refresh(self) -> None:
        """Read the keys; what has changed since, and the first failure, are logged."""
        try:
            keys = self._source.read()
        except KeysUnreadable as error:
            if self._problem != error.reason:
                self._problem = error.reason
                known = "nobody gets in" if self._grants is None else "those known stay valid"
                self._log.warning("API keys unreadable", cause=str(error), effect=known)
            return
        self._problem = ""
        before = self._grants
        # A key that has not changed keeps its bucket.
        kept = {grant.key: grant for grant in (before or {}).values()}
        self._had_keys = self._had_keys or bool(keys)
        self._grants = {key.sha256: kept.get(key) or Grant(key) for key in keys}
        if before is None or before.keys() != self._grants.keys():
            self._log.info("API keys read", keys=len(keys))

    def watch(self, stop: Event) -> None:
        """Read the keys again and again until `stop` is set."""
        while not stop.wait(READ_SECONDS):
            self.refresh()
