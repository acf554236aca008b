"""Finds replies of the past in their topics, for tickets that any gateway has given."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Event
from typing import NamedTuple

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.errors import BrokerError
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.producers.gateway.replies import Reply, read_reply
from modstream.producers.gateway.tickets import Ticket

CLOCK_MARGIN_MS = 10_000
"""How far the clocks of a gateway and a broker may be apart."""
WAIT_SECONDS = 0.2
MAX_TICKETS = 10_000
"""Maximum number of tickets of one search."""


class SearchedTicket(NamedTuple):
    """A ticket, the topics of its stream, and the future of its reply, None if there is none."""

    ticket: Ticket
    topics: Topics
    found: "Future[Reply | None]"


class ReplyFinder:
    """Searches the topics of replies for many tickets at once, in a thread of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._admin = Admin(connection)
        self._queue: SimpleQueue[SearchedTicket] = SimpleQueue()

    async def find(self, ticket: Ticket, topics: Topics) -> Reply | None:
        """Return the reply to a ticket's request, or None if there is none yet.

        Raises:
            BrokerError: the topics cannot be read.
        """
        found: Future[Reply | None] = Future()
        self._queue.put(SearchedTicket(ticket, topics, found))
        return await asyncio.wrap_future(found)

    def run(self, stop: Event) -> None:
        """Search for tickets until `stop` is set."""
        while not stop.is_set():
            if searched := self._next_tickets():
                self._answer(searched)

    def _next_tickets(self) -> list[SearchedTicket]:
        """Return the tickets that wait; several searches of the same range would be wasted."""
        searched: list[SearchedTicket] = []
        try:
            searched.append(self._queue.get(timeout=WAIT_SECONDS))
            while len(searched) < MAX_TICKETS:
                searched.append(self._queue.get_nowait())
        except Empty:
            pass
        return searched

    def _answer(self, searched: Sequence[SearchedTicket]) -> None:
        try:
            replies = self._search(searched)
        except BrokerError as error:
            for one in searched:
                _resolve(one.found, error)
            return
        for one in searched:
            ticket = one.ticket
            reply = replies.get((ticket.id, ticket.model)) or replies.get((ticket.id, ""))
            _resolve(one.found, reply)

    def _search(self, searched: Sequence[SearchedTicket]) -> dict[tuple[str, str], Reply]:
        """Return the replies to tickets by their id and model, read up to the present ends."""
        since: dict[TopicPartition, int] = {}
        for ticket, topics, _ in searched:
            for topic in (topics.predictions, topics.dlq):
                one = TopicPartition(topic, ticket.partition)
                since[one] = min(since.get(one, ticket.sent_at), ticket.sent_at)
        starts = self._starts(since)
        wanted = {(one.ticket.id, model) for one in searched for model in (one.ticket.model, "")}
        replies: dict[tuple[str, str], Reply] = {}
        if not starts:
            return replies
        topics_read = sorted({one.topic for one in starts})
        with Reader(self._connection, topics_read, starts, only=starts.keys()) as reader:
            while not reader.at_end():
                for record in reader.poll(WAIT_SECONDS):
                    reply = read_reply(record)
                    if reply is not None and (reply.id, reply.model) in wanted:
                        replies.setdefault((reply.id, reply.model), reply)
        return replies

    def _starts(self, since: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Return the offsets to start at, of the partitions that exist."""
        starts: dict[TopicPartition, int] = {}
        for topic in {one.topic for one in since}:
            times = {one: at for one, at in since.items() if one.topic == topic}
            earliest = max(0, min(times.values()) - CLOCK_MARGIN_MS)
            offsets = self._admin.offsets_since([topic], earliest)
            starts.update({one: offset for one, offset in offsets.items() if one in times})
        return starts


def _resolve(future: "Future[Reply | None]", result: Reply | BrokerError | None) -> None:
    """Set a future's result or error, unless its caller has gone."""
    if not future.set_running_or_notify_cancel():
        return
    if isinstance(result, BrokerError):
        future.set_exception(result)
    else:
        future.set_result(result)
