"""The requests of a client that wait for their responses."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Condition
from time import time
from typing import NamedTuple

from modstream.broker.wire.contracts import ErrorResponse, Prediction
from modstream.broker.wire.records import Headers, Record, TopicPartition
from modstream.producers.errors import RequestNotSent, ResponseTimeout

Response = Prediction | ErrorResponse


class RecordMetadata(NamedTuple):
    """The position of a record in its topic, and its timestamp, in ms since the epoch.

    `offset` is negative if the broker has the record, but no longer knows where.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int

    @classmethod
    def of(cls, record: Record) -> "RecordMetadata":
        """Return the metadata of a stored record."""
        return cls(record.topic, record.partition, record.offset, record.timestamp)

    @property
    def topic_partition(self) -> TopicPartition:
        """The record's partition."""
        return TopicPartition(self.topic, self.partition)


class ResponseArrival(NamedTuple):
    """The arrival of a response: the metadata of its record, and when the client received it.

    `received_at` is in seconds since the epoch, from this machine's clock.
    """

    record: RecordMetadata
    received_at: float


@dataclass(slots=True, eq=False)
class PendingRequest:
    """A request that was sent: pass it to the client to wait for responses or to send a label.

    `responses` holds the first response of each model by the model's name, and `arrivals` where and
    when it arrived. An error that names no model has the name "". `sent_at` is the time of sending,
    in seconds since the epoch. `record` is set once the broker has acknowledged the request.
    `trace` is the trace context that the request was sent with.
    """

    id: str
    key: str
    model: str | None = None
    responses: dict[str, Response] = field(default_factory=dict)
    error: RequestNotSent | None = None
    arrivals: dict[str, ResponseArrival] = field(default_factory=dict)
    sent_at: float = field(default_factory=time)
    record: RecordMetadata | None = None
    trace: Headers = ()

    def response_of(self, model: str | None) -> Response | None:
        """Return the response of one model, or with None the first response of any model."""
        if model is None:
            return next(iter(self.responses.values()), None)
        return self.responses.get(model) or self.responses.get("")

    def responses_of(self, models: Iterable[str | None]) -> list[Response]:
        """Return the responses that have arrived from these models."""
        return [response for model in models if (response := self.response_of(model))]


class Watcher(NamedTuple):
    """A function that is called once some models have responded to a request."""

    request: PendingRequest
    models: tuple[str | None, ...]
    on_settled: Callable[[list[Response] | Exception], None]


class PendingRequests:
    """The pending requests of a client, at most `max_pending`; thread-safe.

    Responses to unknown ids are dropped. Beyond `max_pending` the oldest request is removed: it
    keeps the responses that it has, and gets no further ones.
    """

    def __init__(self, max_pending: int = 10_000) -> None:
        self._max_pending = max_pending
        self._by_id: OrderedDict[str, PendingRequest] = OrderedDict()
        self._changed = Condition()
        self._watchers: dict[str, list[Watcher]] = {}
        self._read_error: Exception | None = None

    def add(self, request: PendingRequest) -> None:
        """Collect the responses to a request from now on."""
        with self._changed:
            self._by_id[request.id] = request
            if len(self._by_id) > self._max_pending:
                self._by_id.popitem(last=False)

    def add_responses(self, responses: Iterable[tuple[Response, Record]]) -> None:
        """Assign responses, each with its record, to their requests; wake the waiting threads."""
        now = time()
        with self._changed:
            for response, record in responses:
                request, model = self._by_id.get(response.id), response.model or ""
                if request is not None and model not in request.responses:
                    request.arrivals[model] = ResponseArrival(RecordMetadata.of(record), now)
                    request.responses[model] = response
                    self._call_watchers(request)
            self._changed.notify_all()

    def mark_sent(self, request_id: str, record: Record) -> None:
        """Record where the broker has stored a request."""
        with self._changed:
            request = self._by_id.get(request_id)
            if request is not None:
                request.record = RecordMetadata.of(record)

    def mark_not_sent(self, request_id: str, reason: str) -> None:
        """Record that a request was not sent, and wake the threads that wait for it."""
        with self._changed:
            request = self._by_id.get(request_id)
            if request is not None:
                request.error = RequestNotSent(request_id, reason)
                self._call_watchers(request)
            self._changed.notify_all()

    def fail_all(self, error: Exception) -> None:
        """Keep the error that ended the reading of responses; `wait` raises it from now on."""
        with self._changed:
            self._read_error = error
            for watchers in list(self._watchers.values()):
                for watcher in list(watchers):
                    self._call_watchers(watcher.request)
            self._changed.notify_all()

    def watch(
        self,
        request: PendingRequest,
        models: Sequence[str | None],
        on_settled: Callable[[list[Response] | Exception], None],
    ) -> Callable[[], None]:
        """Call a function once each of the models has responded, or the error is known.

        Args:
            request: a pending request.
            models: the models; None stands for any model.
            on_settled: called once, at once or in another thread, with the responses in the order
                of `models`, or with the error. It must not block.

        Returns:
            A function that ends the watch.
        """
        watcher = Watcher(request, tuple(models), on_settled)
        with self._changed:
            self._watchers.setdefault(request.id, []).append(watcher)
            self._call_watchers(request)
        return lambda: self._unwatch(watcher)

    def _unwatch(self, watcher: Watcher) -> None:
        with self._changed:
            watchers = self._watchers.get(watcher.request.id, [])
            if watcher in watchers:
                watchers.remove(watcher)
            if not watchers:
                self._watchers.pop(watcher.request.id, None)

    def _call_watchers(self, request: PendingRequest) -> None:
        """Call and remove the watchers of a request that is settled for them."""
        waiting = []
        for watcher in self._watchers.pop(request.id, ()):
            found = request.responses_of(watcher.models)
            error = self._error_of(request)
            if len(found) == len(watcher.models):
                watcher.on_settled(found)
            elif error is not None:
                watcher.on_settled(error)
            else:
                waiting.append(watcher)
        if waiting:
            self._watchers[request.id] = waiting

    def wait(
        self, request: PendingRequest, models: Sequence[str | None], timeout: float
    ) -> list[Response]:
        """Wait until each of the models has responded; None stands for any model.

        Returns:
            One response for each model, in the order of `models`.

        Raises:
            RequestNotSent: the broker did not acknowledge the request.
            ResponseTimeout: a response is missing after `timeout` seconds.
            Exception: the error given to `fail_all`.
        """

        def is_settled() -> bool:
            found = request.responses_of(models)
            return len(found) == len(models) or self._error_of(request) is not None

        with self._changed:
            in_time = self._changed.wait_for(is_settled, timeout)
            found, error = request.responses_of(models), self._error_of(request)
        if len(found) == len(models):
            return found
        raise error if in_time and error else ResponseTimeout(request.id, timeout)

    def _error_of(self, request: PendingRequest) -> Exception | None:
        return request.error or self._read_error
