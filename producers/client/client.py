"""A small client: send a request, wait for its prediction, say later what was true."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Event, Thread
from typing import Self
from uuid import uuid4

import structlog

from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Delivered, Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.errors import BrokerError, DecodeError
from modstream.broker.wire.codec import decode_answer, encode
from modstream.broker.wire.contracts import ErrorAnswer, Label, Prediction, Request
from modstream.broker.wire.features import Row, Scalar
from modstream.broker.wire.records import Outgoing, Record
from modstream.broker.wire.topics import Topics
from modstream.producers.client.pending_requests import Answer, Answers, Ticket
from modstream.producers.errors import Refused
from modstream.producers.ports import arrivals

SECONDS = 10.0
"""How long a caller waits who does not say."""


class Client:
    """Talks to one stream; for any number of threads, with one thread of its own.

    It reads the whole predictions topic from where it ends now, so every answer to a request
    that it sends is seen, whichever partition it comes to.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        *,
        primary: str | None = None,
        most_open: int = 10_000,
    ) -> None:
        """Begin to listen; returns once no answer can be missed.

        Args:
            connection: the cluster.
            topics: the stream's, which must exist.
            primary: the model whose answer counts for requests that name none; None: any.
            most_open: tickets that are kept at most; older ones get no further answers.

        Raises:
            TopicMissing: the stream's topics do not exist.
            BrokerUnavailable: no broker answers.
        """
        self._topics = topics
        self._primary = primary
        self._answers = Answers(most_open)
        self._log = structlog.get_logger(__name__)
        self._reader = Reader(connection, [topics.predictions], start="end")
        self._publisher = Publisher(connection, "modstream-client")
        self._closing = Event()
        self._listener = Thread(target=self._listen, name="client-answers", daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(
        self,
        features: Row | Sequence[Row],
        *,
        id: str | None = None,  # noqa: A002  the contract's own name
        key: str | None = None,
        model: str | None = None,
        version: int | str = "champion",
        event_time: int | None = None,
    ) -> Ticket:
        """Send one row, or several, to be predicted on; does not wait for anything.

        Without `id` a random one is given, without `key` the id is the key. Without `model`
        every model of the stream's route answers.
        """
        request = Request(
            id=id or uuid4().hex,
            features=features if isinstance(features, Mapping) else tuple(features),
            model=model,
            version=version,
            event_time=event_time,
        )
        return self.submit(request, key)

    def submit(self, request: Request, key: str | None = None) -> Ticket:
        """Send a request of any form."""
        ticket = Ticket(request.id, key or request.id, request.model)
        self._answers.open(ticket)

        def delivered(report: Delivered) -> None:
            if report.error is not None:
                self._answers.fail(request.id, str(report.error))

        record = Outgoing(self._topics.requests, ticket.key.encode(), encode(request))
        self._publisher.send(record, delivered)
        return ticket

    def wait(self, ticket: Ticket, timeout: float = SECONDS) -> Prediction:
        """Wait for the answer of the model that was named, or else of the primary model.

        Raises:
            Refused: the answer is an error.
            NoAnswer: none came within `timeout` seconds.
            NotSent: the request never reached the broker.
        """
        (answer,) = self._answers.wait(ticket, [ticket.model or self._primary], timeout)
        if isinstance(answer, ErrorAnswer):
            raise Refused(answer.code, answer.message)
        return answer

    def wait_all(
        self, ticket: Ticket, models: Iterable[str], timeout: float = SECONDS
    ) -> dict[str, Answer]:
        """Wait for the answers of several models, errors among them, by the model's name.

        Raises:
            NoAnswer: not all of them came within `timeout` seconds.
            NotSent: the request never reached the broker.
        """
        wanted = tuple(models)
        return dict(zip(wanted, self._answers.wait(ticket, wanted, timeout), strict=True))

    def label(
        self, of: Ticket | str, value: Scalar, event_time: int, *, key: str | None = None
    ) -> None:
        """Say what was true of a request, given by its ticket or its id.

        Args:
            of: the ticket, or the id; with an id whose request had another key, give `key`.
            value: the label.
            event_time: when it became known, ms since the epoch.
            key: the key of the request.
        """
        request_id, own_key = (of.id, of.key) if isinstance(of, Ticket) else (of, of)
        label = Label(id=request_id, label=value, event_time=event_time)
        record = Outgoing(self._topics.labels, (key or own_key).encode(), encode(label))
        self._publisher.send(record)

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until everything sent so far is acknowledged; raises DeliveryFailed."""
        self._publisher.flush(timeout)

    def close(self) -> None:
        """Stop listening and let go of the connections."""
        self._closing.set()
        self._listener.join()
        self._reader.close()
        self._publisher.close()

    def _listen(self) -> None:
        try:
            while not self._closing.is_set():
                records = arrivals(self._reader, 0.1)
                self._answers.deliver(list(self._decoded(records)))
                self._publisher.poll()
        except BrokerError as error:
            self._answers.fail_all(error)

    def _decoded(self, records: Iterable[Record]) -> Iterator[Answer]:
        for record in records:
            try:
                yield decode_answer(record)
            except DecodeError as error:
                self._log.warning("undecodable answer", at=str(record.home), cause=str(error))
