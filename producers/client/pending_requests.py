"""The requests of a client that wait for their responses."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Condition

from modstream.broker.wire.contracts import ErrorResponse, Prediction
from modstream.producers.errors import RequestNotSent, ResponseTimeout

Response = Prediction | ErrorResponse


@dataclass(slots=True, eq=False)
class PendingRequest:
    """A request that was sent: pass it to the client to wait for responses or to send a label.

    `responses` holds the first response of each model by the model's name. An error that names no
    model has the name "".
    """

    id: str
    key: str
    model: str | None = None
    responses: dict[str, Response] = field(default_factory=dict)
    error: RequestNotSent | None = None

    def response_of(self, model: str | None) -> Response | None:
        """Return the response of one model, or with None the first response of any model."""
        if model is None:
            return next(iter(self.responses.values()), None)
        return self.responses.get(model) or self.responses.get("")

    def responses_of(self, models: Iterable[str | None]) -> list[Response]:
        """Return the responses that have arrived from these models."""
        return [response for model in models if (response := self.response_of(model))]


class PendingRequests:
    """The pending requests of a client, at most `max_pending`; thread-safe.

    Responses to unknown ids are dropped. Beyond `max_pending` the oldest request is removed: it
    keeps the responses that it has, and gets no further ones.
    """

    def __init__(self, max_pending: int = 10_000) -> None:
        self._max_pending = max_pending
        self._by_id: OrderedDict[str, PendingRequest] = OrderedDict()
        self._changed = Condition()
        self._read_error: Exception | None = None

    def add(self, request: PendingRequest) -> None:
        """Collect the responses to a request from now on."""
        with self._changed:
            self._by_id[request.id] = request
            if len(self._by_id) > self._max_pending:
                self._by_id.popitem(last=False)

    def add_responses(self, responses: Iterable[Response]) -> None:
        """Assign responses to their requests and wake the waiting threads."""
        with self._changed:
            for response in responses:
                request = self._by_id.get(response.id)
                if request is not None:
                    request.responses.setdefault(response.model or "", response)
            self._changed.notify_all()

    def mark_not_sent(self, request_id: str, reason: str) -> None:
        """Record that a request was not sent, and wake the threads that wait for it."""
        with self._changed:
            request = self._by_id.get(request_id)
            if request is not None:
                request.error = RequestNotSent(request_id, reason)
            self._changed.notify_all()

    def fail_all(self, error: Exception) -> None:
        """Keep the error that ended the reading of responses; `wait` raises it from now on."""
        with self._changed:
            self._read_error = error
            self._changed.notify_all()

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
