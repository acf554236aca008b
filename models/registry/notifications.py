"""Notifications that a model changed: a Redis subscription that reconnects on its own."""

import time
from threading import Event, Lock
from typing import Any, Self

import redis
from redis.client import PubSub

SUBSCRIBE_TIMEOUT_S = 1.0
CLOSE_CHECK_INTERVAL_S = 0.2


class ChangeSubscription:
    """A subscription to the names of changed models.

    Pub/sub delivers each message at most once, and none while the connection is down, so a
    subscriber must also poll the registry. One thread waits; any thread may close.
    """

    def __init__(self, client: redis.Redis, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._pubsub: PubSub | None = None
        self._closed = Event()
        self._wait_lock = Lock()
        try:
            self._subscribe()
        except redis.RedisError:
            self._disconnect()

    @property
    def is_closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closed.is_set()

    def wait(self, timeout_seconds: float) -> set[str]:
        """Wait for a notification and return the names of all models changed since the last call.

        An empty set means that any model may have changed. It is returned when the time is over,
        and at once after a reconnection, during which notifications may have been lost. While
        Redis is unreachable, the wait takes its full time, plus possibly a connection timeout.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._wait_lock:
            if not self.is_closed:
                try:
                    return self._receive_names(deadline)
                except redis.RedisError:
                    self._disconnect()
        self._closed.wait(max(0.0, deadline - time.monotonic()))
        return set()

    def wait_for(self, name: str, timeout_seconds: float) -> None:
        """Wait until the model may have changed; changes of other models do not end the wait."""
        deadline = time.monotonic() + timeout_seconds
        names = self.wait(timeout_seconds)
        while names and name not in names:
            names = self.wait(deadline - time.monotonic())

    def close(self) -> None:
        """End the subscription; a wait in another thread returns within 0.2 s."""
        self._closed.set()
        with self._wait_lock:
            self._disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _subscribe(self) -> PubSub:
        pubsub: PubSub = self._client.pubsub()  # type: ignore[no-untyped-call]
        self._pubsub = pubsub
        pubsub.subscribe(self._channel)
        pubsub.get_message(timeout=SUBSCRIBE_TIMEOUT_S)  # the confirmation
        return pubsub

    def _receive_names(self, deadline: float) -> set[str]:
        pubsub = self._pubsub
        if pubsub is None:
            self._subscribe()
            return set()
        names = set()
        message = self._receive_first(pubsub, deadline)
        while message is not None:
            if message["type"] == "subscribe":  # redis-py has reconnected
                return set()
            names.add(message["data"].decode(errors="replace"))
            message = pubsub.get_message()
        return names

    def _receive_first(self, pubsub: PubSub, deadline: float) -> dict[str, Any] | None:
        while not self.is_closed and (left := deadline - time.monotonic()) > 0:
            message: dict[str, Any] | None = pubsub.get_message(
                timeout=min(left, CLOSE_CHECK_INTERVAL_S)
            )
            if message is not None:
                return message
        return None

    def _disconnect(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None
