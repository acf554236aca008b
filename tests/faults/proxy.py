"""A TCP proxy that breaks a network on demand, and counts what it really broke.

Towards the server it forwards whole Kafka frames, of which it reads length and api key
(https://kafka.apache.org/protocol#protocol_common); back it forwards bytes as they come.
"""

import asyncio
import socket
import struct
import threading
from asyncio import Queue, StreamReader, StreamWriter
from collections import Counter
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Self, TypeVar

from modstream.stack.embedded.ports import HOST

Result = TypeVar("Result")

END_TXN = 26
"""The api key of the request that commits or aborts a transaction."""
SECONDS = 10.0
CHUNK = 64 * 1024
MOST_ON_THE_WAY = 256
GRACE = 1.0
"""Seconds that a server keeps a connection whose client has hung up, to act on what came last."""


class Way(Enum):
    """The two directions of a connection."""

    OUT = "client to server"
    BACK = "server to client"


@dataclass
class Counts:
    """What a proxy did so far.

    `held` are requests held back, by api key; `outlived` those of them that reached the server
    when their client had hung up; `delayed` are pieces that the latency kept; `cut` and `refused`
    are connections; `swallowed` are bytes, by direction.
    """

    held: Counter[int] = field(default_factory=Counter)
    outlived: int = 0
    delayed: int = 0
    cut: int = 0
    refused: int = 0
    swallowed: Counter[Way] = field(default_factory=Counter)


@dataclass
class Hold:
    """The next `left` requests of a kind are held back `seconds` each.

    With `hang_up` their client loses its connection at once, so that it does not know what
    becomes of them.
    """

    api_key: int
    seconds: float
    left: int = 1
    hang_up: bool = False


class Piece(NamedTuple):
    """Bytes on their way: due at a time of the loop's clock, empty at the connection's end."""

    due: float
    data: bytes
    held: bool


END = Piece(0.0, b"", held=False)
Link = tuple[StreamWriter, StreamWriter]
"""A connection's two ends: to the client, to the server."""


class FaultProxy:
    """Stands before one server. All faults are switched from any thread and hit at once.

    What is delayed keeps what follows it on the same connection waiting, as in TCP. What a client
    sent before it hung up is still delivered when its time has come.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.counts = Counts()
        self._target = target
        self._latency = 0.0
        self._severed = False
        self._deaf: frozenset[Way] = frozenset()
        self._holds: list[Hold] = []
        self._links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{port}")

    def __enter__(self) -> Self:
        self._thread.start()
        self._listener = self._do(asyncio.start_server(self._accept, HOST, self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    def slow(self, seconds: float) -> None:
        """Let everything take this much longer, each way."""
        self._latency = seconds

    def cut(self) -> None:
        """Drop all connections, with all that is on the way, and refuse new ones."""
        self._severed = True
        self._do(self._drop_all())

    def swallow(self, *ways: Way) -> None:
        """Take what goes these ways and let it vanish; the connections stay open.

        One that has lost something that way stays deaf that way for ever: TCP leaves no holes.
        """
        self._deaf = frozenset(ways)

    def hold(self, hold: Hold) -> None:
        """Hold back some requests, besides those that are to be held already."""
        self._holds.append(hold)

    def heal(self) -> None:
        """End every fault; what is held back already still comes late, who is deaf stays so."""
        self._latency, self._severed, self._deaf = 0.0, False, frozenset()
        self._holds.clear()

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    async def _accept(self, source: StreamReader, client: StreamWriter) -> None:
        if self._severed:
            self.counts.refused += 1
            reset(client)
            return
        try:
            answers, server = await asyncio.open_connection(HOST, self._target)
        except OSError:
            reset(client)
            return
        link = (client, server)
        self._links.add(link)
        out, back = Queue[Piece](MOST_ON_THE_WAY), Queue[Piece](MOST_ON_THE_WAY)
        try:
            await asyncio.gather(
                self._collect_requests(source, client, out),
                self._deliver_requests(out, source, server),
                self._collect_answers(answers, back),
                self._deliver_answers(back, client),
            )
        except asyncio.CancelledError:
            pass  # Only `_end_all` cancels; asyncio's streams would report it as an error.
        finally:
            self._links.discard(link)
            client.transport.abort()
            server.transport.abort()

    async def _collect_requests(
        self, source: StreamReader, client: StreamWriter, out: Queue[Piece]
    ) -> None:
        deaf = False
        while data := await or_end(frame(source)):
            deaf = self._is_swallowed(Way.OUT, data, deaf=deaf)
            if deaf:
                continue
            hold = self._hold_of(data)
            await out.put(self._sent(data, hold))
            if hold is not None and hold.hang_up:
                reset(client)
        await out.put(END)

    async def _collect_answers(self, answers: StreamReader, back: Queue[Piece]) -> None:
        deaf = False
        while data := await or_end(answers.read(CHUNK)):
            deaf = self._is_swallowed(Way.BACK, data, deaf=deaf)
            if not deaf:
                await back.put(self._sent(data, None))
        await back.put(END)

    async def _deliver_requests(
        self, out: Queue[Piece], source: StreamReader, server: StreamWriter
    ) -> None:
        while (piece := await self._arrived(out)).data:
            self.counts.outlived += piece.held and has_hung_up(source)
            await write(server, piece.data)
        await asyncio.sleep(GRACE)
        server.close()

    async def _deliver_answers(self, back: Queue[Piece], client: StreamWriter) -> None:
        while (piece := await self._arrived(back)).data:
            await write(client, piece.data)
        client.close()

    def _is_swallowed(self, way: Way, data: bytes, *, deaf: bool) -> bool:
        """Whether these bytes vanish: a connection that is `deaf` has lost some before them."""
        if not deaf and way not in self._deaf:
            return False
        self.counts.swallowed[way] += len(data)
        return True

    def _hold_of(self, data: bytes) -> Hold | None:
        key = api_key(data)
        hold = next((hold for hold in self._holds if hold.api_key == key and hold.left > 0), None)
        if hold is not None:
            hold.left -= 1
            self.counts.held[key] += 1
        return hold

    def _sent(self, data: bytes, hold: Hold | None) -> Piece:
        self.counts.delayed += self._latency > 0
        delay = self._latency + (hold.seconds if hold else 0.0)
        return Piece(self._loop.time() + delay, data, hold is not None)

    async def _arrived(self, pieces: Queue[Piece]) -> Piece:
        piece = await pieces.get()
        await asyncio.sleep(max(0.0, piece.due - self._loop.time()))
        return piece

    async def _drop_all(self) -> None:
        self.counts.cut += len(self._links)
        for client, server in self._links:
            reset(client)
            reset(server)

    async def _end_all(self) -> None:
        self._listener.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def frame(source: StreamReader) -> bytes:
    """The next frame of the Kafka protocol: four bytes of length, and as many as they say."""
    head = await source.readexactly(4)
    return head + await source.readexactly(struct.unpack(">i", head)[0])


async def or_end(reading: Awaitable[bytes]) -> bytes:
    """What is read, or nothing where the connection ends, in order or not."""
    try:
        return await reading
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def write(sink: StreamWriter, data: bytes) -> None:
    """Write to an end that may be gone."""
    with suppress(ConnectionError):
        sink.write(data)
        await sink.drain()


def reset(end: StreamWriter) -> None:
    """Drop a connection as a broken network does: with a reset, not with an orderly end."""
    with suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    end.transport.abort()


def api_key(data: bytes) -> int:
    """The api key of a request's frame."""
    return int.from_bytes(data[4:6], "big")


def has_hung_up(source: StreamReader) -> bool:
    """Whether a client has closed its connection, in order or not."""
    return source.at_eof() or source.exception() is not None
