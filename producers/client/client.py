"""A small client: send a request, wait for its prediction, send the true label later."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Event, Thread
from typing import Self
from uuid import uuid4

import structlog

from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import DeliveryReport, Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode_response, encode
from modstream.broker.wire.contracts import ErrorResponse, Label, Prediction, Request
from modstream.broker.wire.features import FeatureRow, JsonScalar
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import Topics
from modstream.broker.wire.trace_context import trace_headers
from modstream.producers.client.label_records import label_record
from modstream.producers.client.pending_requests import PendingRequest, PendingRequests, Response
from modstream.producers.errors import RequestRefused
from modstream.producers.ports import Sealer, TraceSend, poll_available, send_untraced

DEFAULT_TIMEOUT_SECONDS = 10.0
"""Default timeout of `Client.wait` and `Client.wait_all`."""


class Client:
    """A client of one stream. It is thread-safe, and polls responses in a background thread.

    It reads all partitions of the predictions topic, beginning at their current ends, so it sees
    every response to the requests that it sends.

    If the background thread fails, the error is logged and kept, and every later `wait` for a
    missing response raises it.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        *,
        primary: str | None = None,
        max_pending: int = 10_000,
        trace_send: TraceSend = send_untraced,
        sealer: Sealer | None = None,
    ) -> None:
        """Connect, and start to poll responses.

        Args:
            connection: the cluster.
            topics: the topics of the stream; they must exist.
            primary: the model whose response `wait` returns for a request that names no model;
                with None, `wait` returns the first response of any model.
            max_pending: how many pending requests are kept; older ones get no further responses.
            trace_send: begins the span of each record that is sent; by default nothing is traced.
            sealer: seals personal features, and replaces keys by pseudonyms; by default nothing
                is sealed.

        Raises:
            TopicMissing: the stream's topics do not exist.
            BrokerUnavailable: no broker responds.
        """
        self._topics = topics
        self._primary = primary
        self._trace_send = trace_send
        self._sealer = sealer
        self._pending = PendingRequests(max_pending)
        self._log = structlog.get_logger(__name__)
        # A producer that sends at once, before it is connected, waits 500 ms for its id. So it is
        # created first, and connects in the meantime.
        self._publisher = Publisher(connection, "modstream-client")
        self._reader = Reader(connection, [topics.predictions], start="end")
        self._closed = Event()
        self._polling_thread = Thread(
            target=self._poll_responses, name="client-responses", daemon=True
        )
        self._polling_thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(
        self,
        features: FeatureRow | Sequence[FeatureRow],
        *,
        id: str | None = None,  # noqa: A002  the contract's own name
        key: str | None = None,
        model: str | None = None,
        version: int | str = "champion",
        event_time: int | None = None,
    ) -> PendingRequest:
        """Send a prediction request with one row or several rows, without waiting.

        Args:
            features: one row, or a sequence of rows.
            id: the request's id; a random one by default.
            key: the record's key; the id by default.
            model: the model that responds; by default every model of the stream's route responds.
            version: a version number or an alias of the model.
            event_time: when the request was made, in ms since the epoch.

        Returns:
            The pending request, for `wait`, `wait_all` and `label`.

        Raises:
            OversizeRecord: the request is larger than any topic takes; nothing was sent.
        """
        request = Request(
            id=id or uuid4().hex,
            features=features if isinstance(features, Mapping) else tuple(features),
            model=model,
            version=version,
            event_time=event_time,
        )
        return self.submit(request, key)

    def submit(self, request: Request, key: str | None = None) -> PendingRequest:
        """Send a request of any format, without waiting; see `send`."""
        key, value = key or request.id, encode(request)
        if self._sealer is not None:
            sealed = self._sealer.person(key)
            key, value = sealed.key, sealed.value(value)
        pending = PendingRequest(request.id, key, request.model)
        self._pending.add(pending)

        def on_delivery(report: DeliveryReport) -> None:
            if report.record is not None:
                self._pending.mark_sent(request.id, report.record)
            elif report.error is not None:
                self._pending.mark_not_sent(request.id, str(report.error))

        record = ProducerRecord(self._topics.requests, key.encode(), value)
        record, on_end = self._trace_send(record, on_delivery)
        pending.trace = trace_headers(record.headers)
        self._publisher.send(record, on_end)
        return pending

    def wait(self, pending: PendingRequest, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> Prediction:
        """Wait for the response of the requested model, or else of the primary model.

        Raises:
            RequestRefused: the response is an error.
            ResponseTimeout: no response arrived within `timeout` seconds.
            RequestNotSent: the broker did not acknowledge the request.
            Exception: the error that ended the polling of responses, for example a BrokerError.
        """
        (response,) = self._pending.wait(pending, [pending.model or self._primary], timeout)
        if isinstance(response, ErrorResponse):
            raise RequestRefused(response.code, response.message)
        return response

    def wait_first(
        self, pending: PendingRequest, timeout: float = DEFAULT_TIMEOUT_SECONDS
    ) -> Response:
        """Wait for the first response of any model, and return it even if it is an error.

        Raises:
            ResponseTimeout: no response arrived within `timeout` seconds.
            RequestNotSent: the broker did not acknowledge the request.
            Exception: the error that ended the polling of responses, for example a BrokerError.
        """
        (response,) = self._pending.wait(pending, [None], timeout)
        return response

    def wait_all(
        self,
        pending: PendingRequest,
        models: Iterable[str],
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> dict[str, Response]:
        """Wait for the responses of several models, errors included.

        Returns:
            The responses by the name of the model.

        Raises:
            ResponseTimeout: a response is missing after `timeout` seconds.
            RequestNotSent: the broker did not acknowledge the request.
            Exception: the error that ended the polling of responses, for example a BrokerError.
        """
        names = tuple(models)
        return dict(zip(names, self._pending.wait(pending, names, timeout), strict=True))

    def watch(
        self,
        pending: PendingRequest,
        models: Sequence[str | None],
        on_settled: Callable[[list[Response] | Exception], None],
    ) -> Callable[[], None]:
        """Call a function once each of the models has responded; see `PendingRequests.watch`."""
        return self._pending.watch(pending, models, on_settled)

    def label(
        self,
        request: PendingRequest | str,
        value: JsonScalar,
        event_time: int,
        *,
        key: str | None = None,
        row: int | None = None,
        revision: int = 0,
    ) -> None:
        """Send the true label of a request, or of one of its rows, without waiting.

        Args:
            request: the pending request, or the request's id.
            value: the label.
            event_time: when the label became known, in ms since the epoch.
            key: the request's key; needed only if `request` is an id that differs from the key.
            row: the number of the row, from 0; needed only for a request of several rows.
            revision: the number of the correction; a higher one corrects an earlier label.
        """
        if isinstance(request, PendingRequest):
            request_id, request_key, trace = request.id, request.key, request.trace
        else:
            request_id, request_key, trace = request, key or request, ()
            if self._sealer is not None:
                request_key = self._sealer.person(request_key).key
            key = None
        label = Label(id=request_id, row=row, label=value, revision=revision, event_time=event_time)
        record = label_record(self._topics, label, key or request_key, trace)
        self._publisher.send(*self._trace_send(record, None))

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until every record sent so far is acknowledged.

        Raises:
            DeliveryFailed: a record was not acknowledged.
        """
        self._publisher.flush(timeout)

    def close(self) -> None:
        """Stop the background thread and close the connections."""
        self._closed.set()
        self._polling_thread.join()
        self._reader.close()
        self._publisher.close()

    def _poll_responses(self) -> None:
        try:
            while not self._closed.is_set():
                records = poll_available(self._reader, 0.1)
                self._pending.add_responses(list(self._decode_responses(records)))
                self._publisher.poll()
        except Exception as error:  # noqa: BLE001 - kept, logged, and raised by `wait`
            # A thread that ends silently would leave every caller waiting until its timeout.
            self._log.exception("polling of responses failed")
            self._pending.fail_all(error)

    def _decode_responses(self, records: Iterable[Record]) -> Iterator[tuple[Response, Record]]:
        for record in records:
            try:
                yield decode_response(record), record
            except DecodeError as error:
                self._log.warning(
                    "undecodable response", at=str(record.topic_partition), cause=str(error)
                )
