"""The requests of a gateway that wait for their replies; used by the event loop's thread only."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from time import monotonic

from modstream.producers.gateway.concurrency_limit import ConcurrencyLimit
from modstream.producers.gateway.errors import Overloaded
from modstream.producers.gateway.replies import Reply

RECENT_BYTES = 16 * 1024 * 1024
RECENT_COUNT = 10_000


class Waiter:
    """A request that waits: for the reply of one model, or with None for the first reply."""

    __slots__ = ("future", "model")

    def __init__(self, model: str | None, future: asyncio.Future[Reply]) -> None:
        self.model = model
        self.future = future

    def takes(self, reply: Reply) -> bool:
        """Return whether a reply is the awaited one; an error without a model is."""
        return self.model is None or not reply.model or reply.model == self.model


class PendingReplies:
    """Waiting requests by id, bounded in number and bytes, and the latest replies besides."""

    def __init__(self, limit: ConcurrencyLimit, max_bytes: int) -> None:
        self._limit, self._max_bytes = limit, max_bytes
        self._waiting: dict[str, list[Waiter]] = {}
        self._recent = RecentReplies(RECENT_COUNT, RECENT_BYTES)
        self.count = 0
        self.bytes = 0

    def has_room(self, beginning: int = 0) -> bool:
        """Return whether one more request may wait, beside some that were just accepted."""
        return self._limit.admits(self.count + beginning, monotonic())

    def admit(self, size: int) -> None:
        """Count a request of some bytes that is about to be sent; `release` counts it out.

        Raises:
            Overloaded: there are too many, or they are too large together.
        """
        if not self.has_room():
            raise Overloaded(f"{self.count} requests wait for their answers")
        if self.bytes and self.bytes + size > self._max_bytes:
            raise Overloaded(f"requests of {self.bytes:,} bytes wait for their answers")
        self.count += 1
        self.bytes += size

    def observe(self, seconds: float, now: float) -> None:
        """Take the latency of an admitted request that was answered, before it is released."""
        self._limit.add(seconds, self.count, now)

    def release(self, size: int) -> None:
        """Count out a request that was admitted."""
        self.count -= 1
        self.bytes -= size

    def watch(self, request_id: str, model: str | None) -> Waiter:
        """Return a waiter for the reply to a request; `unwatch` removes it."""
        waiter = Waiter(model, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(request_id, []).append(waiter)
        return waiter

    def unwatch(self, request_id: str, waiter: Waiter) -> None:
        """Remove a waiter."""
        waiters = self._waiting.get(request_id)
        if waiters is None:
            return
        waiters.remove(waiter)
        if not waiters:
            del self._waiting[request_id]

    def is_watched(self, request_id: str) -> bool:
        """Return whether a request waits here; any thread may call this."""
        return request_id in self._waiting

    def resolve(self, replies: Iterable[Reply]) -> None:
        """Give replies to their waiters, and keep them: others may ask for them a little later."""
        for reply in replies:
            self._recent.add(reply)
            for waiter in self._waiting.get(reply.id, ()):
                if waiter.takes(reply) and not waiter.future.done():
                    waiter.future.set_result(reply)

    def fail(self, request_id: str, error: Exception) -> None:
        """Fail the waiters of a request."""
        for waiter in self._waiting.get(request_id, ()):
            if not waiter.future.done():
                waiter.future.set_exception(error)

    def recent(self, request_id: str, model: str) -> Reply | None:
        """Return a reply that came before, if it is still in memory."""
        return self._recent.get(request_id, model)


class RecentReplies:
    """The latest replies, bounded in number and bytes."""

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self._max_count, self._max_bytes = max_count, max_bytes
        self._replies: OrderedDict[tuple[str, str], Reply] = OrderedDict()
        self._bytes = 0

    def add(self, reply: Reply) -> None:
        """Keep a reply; the oldest ones are dropped."""
        key = (reply.id, reply.model)
        if key in self._replies:
            return
        self._replies[key] = reply
        self._bytes += len(reply.value)
        while len(self._replies) > self._max_count or self._bytes > self._max_bytes:
            _, dropped = self._replies.popitem(last=False)
            self._bytes -= len(dropped.value)

    def get(self, request_id: str, model: str) -> Reply | None:
        """Return the reply of one model, which may be an error that names none."""
        return self._replies.get((request_id, model)) or self._replies.get((request_id, ""))
