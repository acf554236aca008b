"""Many requests of one client: some are in flight, and their responses come in order."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from threading import Event
from time import time
from typing import NamedTuple

from modstream.broker.wire.contracts import ErrorResponse, Request
from modstream.producers.client.client import DEFAULT_TIMEOUT_SECONDS, Client
from modstream.producers.client.pending_requests import PendingRequest, Response
from modstream.producers.errors import ResponseTimeout

WINDOW_SIZE = 500
"""Maximum number of requests in flight."""
OTHER_MODELS_SECONDS = 0.5
"""Time to wait for the responses of further models after the first one. A worker writes all
responses to a request together."""
LOADING = "model_loading"
"""The code of the error that a model is being loaded, so that a later request can be answered."""
LOADING_INTERVAL_SECONDS = 0.25
"""Time between two requests to a model that is being loaded."""


class Answer(NamedTuple):
    """A request, the response of the model that was asked, and all that is known of its way."""

    request: Request
    response: Response
    pending: PendingRequest


class RequestWindow:
    """Sends requests ahead of their responses.

    A request that is refused because its model is being loaded is sent again under another id,
    until its timeout.
    """

    def __init__(
        self,
        client: Client,
        models: Sequence[str] = (),
        *,
        key: str | None = None,
        size: int = WINDOW_SIZE,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        """Prepare for the requests of one client.

        Args:
            client: the client that sends the requests.
            models: the models that should respond; an answer has the response of the first one if
                it arrives together with the others, and else the first response of any model.
            key: the key of all requests; by default each has its id as key.
            size: the maximum number of requests in flight.
            timeout: seconds to wait for the response to a request, from its sending.
        """
        self._client = client
        self._models = tuple(models)
        self._key = key
        self._size = size
        self._timeout = timeout
        self.waiting_for: PendingRequest | None = None
        """The request whose response was waited for last."""

    def ask(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield each request with its response, in the order of the requests.

        Raises:
            ResponseTimeout: a request got no response in time.
            RequestNotSent: the broker did not acknowledge a request.
            OversizeRecord: a request is larger than any topic takes.
        """
        in_flight: deque[tuple[Request, PendingRequest]] = deque()
        for request in requests:
            in_flight.append((request, self._client.submit(request, self._key)))
            while in_flight and (len(in_flight) >= self._size or in_flight[0][1].responses):
                yield self._settle(*in_flight.popleft())
        while in_flight:
            yield self._settle(*in_flight.popleft())

    def _settle(self, request: Request, pending: PendingRequest) -> Answer:
        deadline = pending.sent_at + self._timeout
        response = self._wait(pending)
        attempt = 1
        while isinstance(response, ErrorResponse) and response.code == LOADING:
            Event().wait(LOADING_INTERVAL_SECONDS)
            if time() >= deadline:
                break
            attempt += 1
            repeated = request.model_copy(update={"id": f"{request.id}.{attempt}"})
            pending = self._client.submit(repeated, self._key)
            response = self._wait(pending)
        return Answer(request, response, pending)

    def _wait(self, pending: PendingRequest) -> Response:
        """Wait for a response; then, shortly, for those of the other models."""
        self.waiting_for = pending
        remaining = pending.sent_at + self._timeout - time()
        try:
            first = self._client.wait_first(pending, max(0.0, remaining))
        except ResponseTimeout:
            raise ResponseTimeout(pending.id, self._timeout) from None
        missing = [model for model in self._models if pending.response_of(model) is None]
        if missing:
            try:
                self._client.wait_all(pending, missing, OTHER_MODELS_SECONDS)
            except ResponseTimeout:
                # They are not on the worker's route; later requests do not wait for them either.
                self._models = tuple(model for model in self._models if model not in missing)
        primary = pending.response_of(self._models[0]) if self._models else None
        return primary or first
