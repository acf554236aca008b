"""A client for programs with an event loop: answers are awaited, and no thread waits for them."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Self

from modstream.broker.client.connection import Connection
from modstream.broker.wire.contracts import ErrorResponse, Prediction
from modstream.broker.wire.features import FeatureRow, JsonScalar
from modstream.broker.wire.topics import Topics
from modstream.producers.client.client import DEFAULT_TIMEOUT_SECONDS, Client
from modstream.producers.client.pending_requests import PendingRequest, Response
from modstream.producers.errors import RequestRefused, ResponseTimeout
from modstream.producers.ports import Sealer, TraceSend, send_untraced


class AsyncClient:
    """A client of one stream, for one event loop. Use it as an asynchronous context manager.

    It reads all partitions of the predictions topic in a background thread, beginning at their
    current ends, so it sees every response to the requests that it sends.
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
        """Prepare; the arguments are those of `Client`. The context connects."""
        self._open = partial(
            Client,
            connection,
            topics,
            primary=primary,
            max_pending=max_pending,
            trace_send=trace_send,
            sealer=sealer,
        )
        self._primary = primary
        self._client: Client | None = None

    async def __aenter__(self) -> Self:
        """Connect, and start to read responses.

        Raises:
            TopicMissing: the stream's topics do not exist.
            BrokerUnavailable: no broker responds.
        """
        self._client = await asyncio.to_thread(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    @property
    def client(self) -> Client:
        """The connected client, whose `send` and `submit` do not wait."""
        if self._client is None:
            raise RuntimeError("use the client within `async with`")
        return self._client

    async def predict(
        self,
        features: FeatureRow | Sequence[FeatureRow],
        *,
        key: str | None = None,
        model: str | None = None,
        version: int | str = "champion",
        timeout: float = DEFAULT_TIMEOUT_SECONDS,  # noqa: ASYNC109 - as `Client.wait` names it
    ) -> Prediction:
        """Ask for the prediction of one row, or of several rows, and wait for it.

        Raises:
            RequestRefused, ResponseTimeout, RequestNotSent: as `Client.wait` does.
        """
        pending = self.client.send(features, key=key, model=model, version=version)
        return await self.wait(pending, timeout)

    async def wait(
        self,
        pending: PendingRequest,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,  # noqa: ASYNC109
    ) -> Prediction:
        """Wait for the response of the requested model, or else of the primary model.

        Raises:
            RequestRefused, ResponseTimeout, RequestNotSent: as `Client.wait` does.
        """
        (response,) = await self._settled(pending, [pending.model or self._primary], timeout)
        if isinstance(response, ErrorResponse):
            raise RequestRefused(response.code, response.message)
        return response

    async def wait_all(
        self,
        pending: PendingRequest,
        models: Iterable[str],
        timeout: float = DEFAULT_TIMEOUT_SECONDS,  # noqa: ASYNC109
    ) -> dict[str, Response]:
        """Return the responses of several models by name, errors included.

        Raises:
            ResponseTimeout, RequestNotSent: as `Client.wait_all` does.
        """
        names = tuple(models)
        return dict(zip(names, await self._settled(pending, names, timeout), strict=True))

    async def label(
        self,
        request: PendingRequest | str,
        value: JsonScalar,
        event_time: int,
        *,
        key: str | None = None,
        row: int | None = None,
        revision: int = 0,
    ) -> None:
        """Send the true label of a request; the arguments are those of `Client.label`.

        It is sent in the background: leaving the context waits until Kafka has it.
        """
        self.client.label(request, value, event_time, key=key, row=row, revision=revision)

    async def _settled(
        self, pending: PendingRequest, models: Sequence[str | None], seconds: float
    ) -> list[Response]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Response]] = loop.create_future()

        def settle(result: list[Response] | Exception) -> None:
            loop.call_soon_threadsafe(_set, future, result)

        unwatch = self.client.watch(pending, models, settle)
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            raise ResponseTimeout(pending.id, seconds) from None
        finally:
            unwatch()


def _set(future: "asyncio.Future[list[Response]]", result: list[Response] | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
