"""A TCP proxy that injects network faults on demand, and counts those that occurred.

To the server it forwards whole Kafka frames, of which it reads the length and the api key
(https://kafka.apache.org/protocol#protocol_common). To the client it forwards bytes as they come.
"""

import asyncio
import threading
from asyncio import Queue, StreamReader, StreamWriter
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Self, TypeVar

from modstream.stack.embedded.ports import HOST
from tests.faults.proxy_streams import (
    api_key,
    has_disconnected,
    read_frame,
    read_or_end,
    reset_connection,
    write,
)

Result = TypeVar("Result")

END_TXN = 26
"""The api key of the request that commits or aborts a transaction."""
TIMEOUT_SECONDS = 10.0
READ_SIZE = 64 * 1024
MAX_QUEUED = 256
CLOSE_DELAY_SECONDS = 1.0
"""Time until the server's connection closes after its client has, to process the last request."""


class Direction(Enum):
    """The two directions of a connection."""

    TO_SERVER = "client to server"
    TO_CLIENT = "server to client"


@dataclass
class ProxyCounts:
    """The faults of a proxy so far.

    `held` are delayed requests by api key, `delivered_after_disconnect` those of them whose client
    had disconnected before. `delayed` are chunks delayed by the latency, `cut` and `refused` are
    connections, `swallowed` are lost bytes by direction.
    """

    held: Counter[int] = field(default_factory=Counter)
    delivered_after_disconnect: int = 0
    delayed: int = 0
    cut: int = 0
    refused: int = 0
    swallowed: Counter[Direction] = field(default_factory=Counter)


@dataclass
class RequestDelay:
    """A delay of `seconds` for each of the next `count` requests with an api key.

    With `disconnect` the client's connection is reset at once, so that the client does not know
    the outcome of the request.
    """

    api_key: int
    seconds: float
    count: int = 1
    disconnect: bool = False


class Chunk(NamedTuple):
    """Bytes to be forwarded when the loop's clock reaches `due`; empty at the end of a stream."""

    due: float
    data: bytes
    held: bool


END = Chunk(0.0, b"", held=False)
ConnectionPair = tuple[StreamWriter, StreamWriter]
"""The streams of a connection, to the client and to the server."""


class FaultProxy:
    """A proxy for one server. Faults can be switched from any thread and take effect at once.

    A delayed chunk also delays the following ones on the same connection, as in TCP. Requests of
    a client that has disconnected are still delivered when they are due.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.counts = ProxyCounts()
        self._target = target
        self._latency = 0.0
        self._is_cut = False
        self._swallowing: frozenset[Direction] = frozenset()
        self._delays: list[RequestDelay] = []
        self._pairs: set[ConnectionPair] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{port}")

    def __enter__(self) -> Self:
        self._thread.start()
        self._listener = self._run_in_loop(asyncio.start_server(self._accept, HOST, self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self._run_in_loop(self._stop_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_SECONDS)
        self._loop.close()

    def add_latency(self, seconds: float) -> None:
        """Delay all bytes by some seconds, in both directions."""
        self._latency = seconds

    def cut(self) -> None:
        """Reset all connections with the bytes in transit, and refuse new ones."""
        self._is_cut = True
        self._run_in_loop(self._drop_all())

    def swallow(self, *directions: Direction) -> None:
        """Drop all bytes in these directions; the connections stay open.

        A connection that has lost bytes in a direction never forwards that direction again, since
        TCP has no gaps.
        """
        self._swallowing = frozenset(directions)

    def delay_requests(self, delay: RequestDelay) -> None:
        """Delay some requests, in addition to the delays set before."""
        self._delays.append(delay)

    def heal(self) -> None:
        """End all faults; delayed requests still arrive late, broken connections stay broken."""
        self._latency, self._is_cut, self._swallowing = 0.0, False, frozenset()
        self._delays.clear()

    def _run_in_loop(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_SECONDS)

    async def _accept(self, source: StreamReader, client: StreamWriter) -> None:
        if self._is_cut:
            self.counts.refused += 1
            reset_connection(client)
            return
        try:
            responses, server = await asyncio.open_connection(HOST, self._target)
        except OSError:
            reset_connection(client)
            return
        pair = (client, server)
        self._pairs.add(pair)
        out, back = Queue[Chunk](MAX_QUEUED), Queue[Chunk](MAX_QUEUED)
        try:
            await asyncio.gather(
                self._read_requests(source, client, out),
                self._write_requests(out, source, server),
                self._read_responses(responses, back),
                self._write_responses(back, client),
            )
        except asyncio.CancelledError:
            pass  # `_stop_all` cancels; asyncio's streams would report it as an error.
        finally:
            self._pairs.discard(pair)
            client.transport.abort()
            server.transport.abort()

    async def _read_requests(
        self, source: StreamReader, client: StreamWriter, out: Queue[Chunk]
    ) -> None:
        is_broken = False
        while data := await read_or_end(read_frame(source)):
            is_broken = self._is_swallowed(Direction.TO_SERVER, data, is_broken=is_broken)
            if is_broken:
                continue
            delay = self._delay_of(data)
            await out.put(self._schedule(data, delay))
            if delay is not None and delay.disconnect:
                reset_connection(client)
        await out.put(END)

    async def _read_responses(self, responses: StreamReader, back: Queue[Chunk]) -> None:
        is_broken = False
        while data := await read_or_end(responses.read(READ_SIZE)):
            is_broken = self._is_swallowed(Direction.TO_CLIENT, data, is_broken=is_broken)
            if not is_broken:
                await back.put(self._schedule(data, None))
        await back.put(END)

    async def _write_requests(
        self, out: Queue[Chunk], source: StreamReader, server: StreamWriter
    ) -> None:
        while (chunk := await self._next_due(out)).data:
            self.counts.delivered_after_disconnect += chunk.held and has_disconnected(source)
            await write(server, chunk.data)
        await asyncio.sleep(CLOSE_DELAY_SECONDS)
        server.close()

    async def _write_responses(self, back: Queue[Chunk], client: StreamWriter) -> None:
        while (chunk := await self._next_due(back)).data:
            await write(client, chunk.data)
        client.close()

    def _is_swallowed(self, direction: Direction, data: bytes, *, is_broken: bool) -> bool:
        """Whether these bytes are dropped; `is_broken` means that earlier bytes were lost."""
        if not is_broken and direction not in self._swallowing:
            return False
        self.counts.swallowed[direction] += len(data)
        return True

    def _delay_of(self, data: bytes) -> RequestDelay | None:
        key = api_key(data)
        delay = next(
            (delay for delay in self._delays if delay.api_key == key and delay.count > 0), None
        )
        if delay is not None:
            delay.count -= 1
            self.counts.held[key] += 1
        return delay

    def _schedule(self, data: bytes, delay: RequestDelay | None) -> Chunk:
        self.counts.delayed += self._latency > 0
        seconds = self._latency + (delay.seconds if delay else 0.0)
        return Chunk(self._loop.time() + seconds, data, delay is not None)

    async def _next_due(self, chunks: Queue[Chunk]) -> Chunk:
        chunk = await chunks.get()
        await asyncio.sleep(max(0.0, chunk.due - self._loop.time()))
        return chunk

    async def _drop_all(self) -> None:
        self.counts.cut += len(self._pairs)
        for client, server in self._pairs:
            reset_connection(client)
            reset_connection(server)

    async def _stop_all(self) -> None:
        self._listener.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
