"""The exchange of a gateway: requests go to their stream, and replies to their callers."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from time import time
from typing import NamedTuple

from modstream.broker.client.publisher import DeliveryReport
from modstream.broker.errors import OversizeRecord
from modstream.broker.wire.records import Headers, ProducerRecord
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Header, Topics
from modstream.producers.gateway.broker_link import BrokerLink
from modstream.producers.gateway.errors import BodyTooLarge, NotServing
from modstream.producers.gateway.pending import PendingReplies, Waiter
from modstream.producers.gateway.presence import WorkerPresence
from modstream.producers.gateway.replies import CORRELATION_ID, REPLY_TO, Reply
from modstream.producers.gateway.tickets import AnswerLate, Ticket
from modstream.producers.ports import TraceSend, send_untraced

UNACKNOWLEDGED_FACTOR = 4
"""How many times the requests in flight may wait for Kafka's acknowledgement."""


class OutgoingRequest(NamedTuple):
    """A request to send: the ticket that identifies it, and its value as a worker reads it.

    `json_length` is the length of the JSON if raw tensors follow it. `deadline` is the time until
    which an answer is useful, in ms since the epoch.
    """

    ticket: Ticket
    value: bytes
    json_length: int | None = None
    deadline: int | None = None
    trace: Headers = ()


class Exchange:
    """Sends requests and waits for their replies; used by the event loop's thread only."""

    def __init__(
        self,
        name: str,
        link: BrokerLink,
        pending: PendingReplies,
        presence: WorkerPresence,
        max_in_flight: int,
        trace_send: TraceSend = send_untraced,
    ) -> None:
        self._name = name.encode()
        self._link, self._pending, self._presence = link, pending, presence
        self._trace_send = trace_send
        self._max_unacknowledged = max_in_flight * UNACKNOWLEDGED_FACTOR
        self._loop = asyncio.get_running_loop()
        self._unacknowledged = 0
        self._lock = Lock()

    async def ask(self, topics: Topics, request: OutgoingRequest, seconds: float) -> Reply:
        """Send a request and wait for its reply.

        Raises:
            NotServing: no worker answers the stream, or Kafka does not take the request.
            Overloaded: too many requests wait.
            BodyTooLarge: the request is larger than a topic takes.
            AnswerLate: there is no reply within `seconds`.
        """
        self._presence.require(topics.stream)
        ticket, size, pending = request.ticket, len(request.value), self._pending
        pending.admit(size)
        waiter = pending.watch(ticket.id, ticket.model or None)
        sent_at = self._loop.time()
        try:
            self.send(topics, request)
            reply = await self.wait(waiter, seconds, ticket)
            now = self._loop.time()
            pending.observe(now - sent_at, now)
            return reply
        finally:
            pending.unwatch(ticket.id, waiter)
            pending.release(size)

    async def submit(self, topics: Topics, request: OutgoingRequest) -> None:
        """Send a request and wait until Kafka has it.

        Raises:
            NotServing, Overloaded, BodyTooLarge: as for `ask`.
        """
        self._presence.require(topics.stream)
        size = len(request.value)
        self._pending.admit(size)
        try:
            await self.publish([self._record(topics, request)])
        finally:
            self._pending.release(size)

    async def publish(self, records: Sequence[ProducerRecord], seconds: float = 10.0) -> None:
        """Send records and wait until Kafka has them all.

        Raises:
            NotServing: Kafka does not take them in time; some may be sent nevertheless.
            BodyTooLarge: a record is larger than a topic takes; none was sent.
        """
        futures = [self._loop.create_future() for _ in records]
        for record, future in zip(records, futures, strict=True):
            self._send(record, future)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*futures)
        except TimeoutError:
            raise NotServing(f"Kafka did not acknowledge the records in {seconds:g} s") from None

    def send(self, topics: Topics, request: OutgoingRequest) -> None:
        """Send a request without waiting; its waiters fail if Kafka does not take it."""
        self._send(self._record(topics, request), request.ticket.id)

    @contextmanager
    def watching(self, ticket: Ticket) -> Iterator[Waiter]:
        """Yield a waiter for the reply to a request, as long as the context."""
        waiter = self._pending.watch(ticket.id, ticket.model or None)
        try:
            yield waiter
        finally:
            self._pending.unwatch(ticket.id, waiter)

    async def wait(self, waiter: Waiter, seconds: float, ticket: Ticket) -> Reply:
        """Wait for the reply that a waiter stands for.

        Raises:
            AnswerLate: there is none within `seconds`.
        """
        # A timer is much cheaper than asyncio.timeout, which also cancels and restores the task.
        timer = self._loop.call_later(seconds, _expire, waiter, seconds, ticket)
        try:
            return await waiter.future
        finally:
            timer.cancel()

    def wants(self, reply: Reply) -> bool:
        """Return whether a reply is one of this gateway's, or of a request that it watches."""
        return reply.reply_to == self._name or self._pending.is_watched(reply.id)

    def take(self, replies: list[Reply]) -> None:
        """Take replies from the reading thread."""
        self._loop.call_soon_threadsafe(self._pending.resolve, replies)

    def _record(self, topics: Topics, request: OutgoingRequest) -> ProducerRecord:
        headers = [
            (REPLY_TO, self._name),
            (CORRELATION_ID, request.ticket.id.encode()),
            *request.trace,
        ]
        if request.json_length is not None:
            headers.append((Header.JSON_LENGTH.value, str(request.json_length).encode()))
        if request.deadline is not None:
            headers.append((Header.DEADLINE.value, str(request.deadline).encode()))
        key = request.ticket.key.encode()
        return ProducerRecord(topics.requests, key, request.value, tuple(headers))

    def _send(self, record: ProducerRecord, waiting: "str | asyncio.Future[None]") -> None:
        """Send a record; `waiting` is a future of its delivery, or the id of a watched request."""
        if self._unacknowledged >= self._max_unacknowledged:
            raise NotServing("Kafka does not acknowledge requests at the moment")

        def on_delivery(report: DeliveryReport) -> None:
            with self._lock:
                self._unacknowledged -= 1
            if report.error is not None:
                error = NotServing(f"Kafka did not take the record: {report.error}")
                self._loop.call_soon_threadsafe(self._fail, waiting, error)
            elif not isinstance(waiting, str):
                self._loop.call_soon_threadsafe(_succeed, waiting)

        with self._lock:
            self._unacknowledged += 1
        try:
            self._link.send(*self._trace_send(record, on_delivery))
        except OversizeRecord:
            with self._lock:
                self._unacknowledged -= 1
            raise BodyTooLarge(MAX_RECORD_BYTES, "the request") from None

    def _fail(self, waiting: "str | asyncio.Future[None]", error: NotServing) -> None:
        if isinstance(waiting, str):
            self._pending.fail(waiting, error)
        elif not waiting.done():
            waiting.set_exception(error)


def now_ms() -> int:
    """Return the present time in ms since the epoch."""
    return int(time() * 1000)


def _expire(waiter: Waiter, seconds: float, ticket: Ticket) -> None:
    if not waiter.future.done():
        waiter.future.set_exception(AnswerLate(seconds, ticket))


def _succeed(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
