"""Hints that a model changed: a Redis subscription that may lose messages and never fails."""

import time
from threading import Event, Lock
from types import TracebackType
from typing import Self

import redis
from redis.client import PubSub

CONFIRMATION_SECONDS = 1.0
CLOSE_SECONDS = 0.2


class Hints:
    """A subscription to the names of changed models.

    Pub/sub delivers at most once and nothing while the connection is away, so who listens here
    also polls the keys. One thread waits; any thread may close.
    """

    def __init__(self, client: redis.Redis, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._pubsub: PubSub | None = None
        self._closed = Event()
        self._waiting = Lock()
        try:
            self._subscribe()
        except redis.RedisError:
            self._hang_up()

    @property
    def closed(self) -> bool:
        """Whether somebody has closed the subscription."""
        return self._closed.is_set()

    def wait(self, timeout: float) -> set[str]:
        """Wait up to `timeout` seconds for a hint and return every name hinted since last time.

        Returns an empty set when the time is over, also when Redis cannot be reached: the next
        call connects and subscribes anew, which may add the connection's own timeout.
        """
        deadline = time.monotonic() + timeout
        with self._waiting:
            if not self._closed.is_set():
                try:
                    return self._read(deadline)
                except redis.RedisError:
                    self._hang_up()
        self._closed.wait(max(0.0, deadline - time.monotonic()))
        return set()

    def close(self) -> None:
        """End the subscription; a wait in another thread returns within 0.2 s."""
        self._closed.set()
        with self._waiting:
            self._hang_up()

    def _subscribe(self) -> PubSub:
        pubsub: PubSub = self._client.pubsub(  # type: ignore[no-untyped-call]
            ignore_subscribe_messages=True
        )
        self._pubsub = pubsub
        pubsub.subscribe(self._channel)
        pubsub.get_message(timeout=CONFIRMATION_SECONDS)
        return pubsub

    def _read(self, deadline: float) -> set[str]:
        pubsub = self._pubsub or self._subscribe()
        name = self._first(pubsub, deadline)
        names = set()
        while name is not None:
            names.add(name)
            name = _receive(pubsub, 0.0)
        return names

    def _first(self, pubsub: PubSub, deadline: float) -> str | None:
        while not self._closed.is_set() and (left := deadline - time.monotonic()) > 0:
            name = _receive(pubsub, min(left, CLOSE_SECONDS))
            if name is not None:
                return name
        return None

    def _hang_up(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _receive(pubsub: PubSub, timeout: float) -> str | None:
    message = pubsub.get_message(timeout=timeout)
    return None if message is None else message["data"].decode()
