"""The data plane: predictions, labels and tickets, for HTTP and gRPC alike."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from modstream.broker.errors import BrokerError, PersonalInTensors
from modstream.broker.wire.contracts import Label
from modstream.broker.wire.identifiers import MAX_ID_LENGTH
from modstream.broker.wire.records import Headers, ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.producers.client.label_records import label_record
from modstream.producers.gateway.broker_link import BrokerLink
from modstream.producers.gateway.calls import Call, Outcome, StreamRoute
from modstream.producers.gateway.catalog import IdempotencyStore
from modstream.producers.gateway.errors import InvalidCall, NotFound, NotServing
from modstream.producers.gateway.exchange import Exchange, OutgoingRequest, now_ms
from modstream.producers.gateway.finder import ReplyFinder
from modstream.producers.gateway.pending import PendingReplies
from modstream.producers.gateway.protocol.call_parameters import MAX_KEY_LENGTH
from modstream.producers.gateway.random_ids import RandomIds
from modstream.producers.gateway.replies import Reply
from modstream.producers.gateway.tickets import AnswerLate, Ticket, decode_ticket
from modstream.producers.ports import Sealer

RESEND_AFTER_MS = 30_000
"""Age from which a request is sent again under the same id, if an idempotency key names it and it
has no answer: the gateway that wanted to send it may have died before."""


class DataPlane:
    """Answers calls by the workers of some streams; used by the event loop's thread only."""

    def __init__(  # noqa: PLR0913, PLR0917 - one argument for each collaborator
        self,
        streams: Mapping[str, StreamRoute],
        exchange: Exchange,
        link: BrokerLink,
        pending: PendingReplies,
        finder: ReplyFinder,
        idempotency: IdempotencyStore,
        sealer: Sealer | None = None,
    ) -> None:
        self._streams = streams
        self._exchange, self._link, self._pending = exchange, link, pending
        self._finder, self._idempotency = finder, idempotency
        self._sealer = sealer
        self._ids = {
            name: RandomIds(partial(link.partition_of, route.topics))
            for name, route in streams.items()
        }
        self._in_flight: set[str] = set()
        self._searches: dict[tuple[str, str], asyncio.Future[Reply | None]] = {}
        self.default_stream = next(iter(streams))

    def stream(self, name: str) -> StreamRoute:
        """Return a stream.

        Raises:
            NotFound: the gateway does not serve it.
        """
        found = self._streams.get(name)
        if found is None:
            raise NotFound(
                f"this gateway serves no stream {name!r}, but {', '.join(self._streams)}"
            )
        return found

    @property
    def served(self) -> tuple[str, list[str]]:
        """The prefix of the topics, and the names of the streams."""
        prefix = self._streams[self.default_stream].topics.prefix
        return prefix, list(self._streams)

    def has_room(self, beginning: int) -> bool:
        """Return whether a request may be sent, beside those that wait and those that begin."""
        return self._pending.has_room(beginning)

    async def ask(self, call: Call) -> Outcome:
        """Send a request and wait for its answer, as long as the caller waits.

        Raises:
            GatewayError: there is no answer, for example `AnswerLate`; a worker's error is a reply.
        """
        request = self._prepare(call)
        if self._sealer is not None:
            request = await self._sealed(self._sealer, call, request)
        try:
            if call.idempotency_key is not None:
                return await self._ask_once(call, request)
            return await self._send(call, request)
        except AnswerLate as late:
            if not call.waiting.is_async:
                raise
            return Outcome(late.ticket, None)

    async def label(
        self, stream: str, labels: Sequence[tuple[Label, str]], trace: Headers = ()
    ) -> None:
        """Send labels, each with the key of its request, and wait until Kafka has them.

        `trace` is the trace context that they carry.

        Raises:
            NotFound, NotServing, BodyTooLarge: as for `ask`.
        """
        topics = self.stream(stream).topics
        if self._sealer is not None:
            person = self._sealer.person
            labels = [(one, (await asyncio.to_thread(person, key)).key) for one, key in labels]
        records: list[ProducerRecord] = [
            label_record(topics, one, key, trace) for one, key in labels
        ]
        await self._exchange.publish(records)

    async def redeem(self, text: str, seconds: float = 0.0) -> Outcome:
        """Return the answer that a ticket stands for, if there is one within some seconds.

        Raises:
            NotFound: the ticket is none.
            NotServing: Kafka does not respond.
        """
        ticket = decode_ticket(text)
        self.stream(ticket.stream)
        try:
            return Outcome(ticket, await self._await_reply(ticket, seconds))
        except AnswerLate:
            return Outcome(ticket, None)

    def _prepare(self, call: Call) -> OutgoingRequest:
        """Return the record of a call, under an id of its own."""
        route = self.stream(call.stream)
        request_id, key, partition = self._identify(call, route.topics)
        model = call.model or next(iter(route.models), "")
        sent_at = now_ms()
        ticket = Ticket(
            call.stream, partition, request_id, key, sent_at, model, call.form, call.client_id
        )
        value, json_length = call.encode(request_id)
        waiting = call.waiting
        deadline = sent_at + int(waiting.seconds * 1000) if waiting.is_deadline else None
        return OutgoingRequest(ticket, value, json_length, deadline, call.trace)

    async def _sealed(
        self, sealer: Sealer, call: Call, request: OutgoingRequest
    ) -> OutgoingRequest:
        """Return a request with its personal features sealed, under the pseudonym of its key.

        Raises:
            InvalidCall: it has personal features in tensors.
        """
        ticket = request.ticket
        person = await asyncio.to_thread(sealer.person, ticket.key)
        try:
            value = person.value(request.value, request.json_length)
        except PersonalInTensors as error:
            raise InvalidCall(str(error)) from None
        partition = self._link.partition_of(self.stream(call.stream).topics, person.key.encode())
        return request._replace(
            ticket=replace(ticket, key=person.key, partition=partition), value=value
        )

    async def _send(self, call: Call, request: OutgoingRequest) -> Outcome:
        """Send a new request, and wait for its answer or for Kafka only."""
        topics, waiting = self.stream(call.stream).topics, call.waiting
        if waiting.is_async and waiting.seconds <= 0:
            await self._exchange.submit(topics, request)
            return Outcome(request.ticket, None)
        reply = await self._exchange.ask(topics, request, waiting.seconds)
        return Outcome(request.ticket, reply)

    async def _ask_once(self, call: Call, request: OutgoingRequest) -> Outcome:
        """Send a request, or if its idempotency key was used, wait for the first one's answer."""
        own = request.ticket.encode()
        scope = f"{call.stream}:{call.caller}"
        claim = self._idempotency.claim
        first = await asyncio.to_thread(claim, scope, call.idempotency_key or "", call.digest, own)
        if first is None:
            self._in_flight.add(request.ticket.id)
            try:
                return await self._send(call, request)
            finally:
                self._in_flight.discard(request.ticket.id)
        ticket = decode_ticket(first)
        return Outcome(ticket, await self._await_reply(ticket, call.waiting.seconds, request))

    async def _await_reply(
        self, ticket: Ticket, seconds: float, request: OutgoingRequest | None = None
    ) -> Reply:
        """Return the reply to a request that was sent before.

        Args:
            ticket: the ticket of that request.
            seconds: how long to wait for the reply.
            request: the same request, to be sent again if nothing is known of the first one.

        Raises:
            AnswerLate: there is no reply in time.
        """
        topics = self.stream(ticket.stream).topics
        if (known := self._pending.recent(ticket.id, ticket.model)) is not None:
            return known
        with self._exchange.watching(ticket) as waiter:
            if ticket.id not in self._in_flight:
                if (found := await self._search(ticket, topics)) is not None:
                    return found
                if request is not None and now_ms() - ticket.sent_at > RESEND_AFTER_MS:
                    self._exchange.send(topics, request._replace(ticket=ticket))
            return await self._exchange.wait(waiter, seconds, ticket)

    async def _search(self, ticket: Ticket, topics: Topics) -> Reply | None:
        """Return a reply of the past; callers that search for the same one share the search.

        Raises:
            NotServing: Kafka does not respond.
        """
        key = (ticket.id, ticket.model)
        search = self._searches.get(key)
        if search is None:
            search = asyncio.ensure_future(self._finder.find(ticket, topics))
            self._searches[key] = search
            search.add_done_callback(lambda _: self._searches.pop(key, None))
        try:
            found = await asyncio.shield(search)
        except BrokerError as error:
            raise NotServing(f"the answers cannot be read: {error}") from None
        if found is not None:
            self._pending.resolve([found])
        return found

    def _identify(self, call: Call, topics: Topics) -> tuple[str, str, int]:
        """Return the id of a call's record, its key, and the partition of the key.

        Ids of callers are not taken, since clients of the protocol repeat theirs: workers answer an
        id once.
        """
        request_id, partition = self._ids[call.stream].next()
        if not call.key and call.idempotency_key is None:
            return request_id, request_id, partition
        if call.idempotency_key is not None:
            request_id = named_id(call.idempotency_key, call.caller)
        key = call.key or request_id
        if len(key) > MAX_KEY_LENGTH:
            raise InvalidCall(f"the key has more than {MAX_KEY_LENGTH} characters")
        return request_id, key, self._link.partition_of(topics, key.encode())


def named_id(idempotency_key: str, caller: str) -> str:
    """Return the id that an idempotency key of a caller names.

    Raises:
        InvalidCall: the key is too long, or has characters that an id must not have.
    """
    found = f"{caller}:{idempotency_key}" if caller else idempotency_key
    if not 0 < len(found) <= MAX_ID_LENGTH or not found.isprintable():
        raise InvalidCall(f"an Idempotency-Key has 1 to {MAX_ID_LENGTH} printable characters")
    return found
