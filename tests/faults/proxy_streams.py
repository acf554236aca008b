"""Reading, writing and resetting the streams of the fault proxy."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable
from contextlib import suppress


async def read_frame(source: StreamReader) -> bytes:
    """Read the next frame of the Kafka protocol: four bytes of length, and the content."""
    head = await source.readexactly(4)
    return head + await source.readexactly(struct.unpack(">i", head)[0])


async def read_or_end(reading: Awaitable[bytes]) -> bytes:
    """Return what is read, or nothing if the connection ends, orderly or not."""
    try:
        return await reading
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def write(sink: StreamWriter, data: bytes) -> None:
    """Write to a stream that may be closed."""
    with suppress(ConnectionError):
        sink.write(data)
        await sink.drain()


def reset_connection(end: StreamWriter) -> None:
    """Drop a connection as a broken network does: with a reset, not an orderly end."""
    with suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    end.transport.abort()


def api_key(data: bytes) -> int:
    """Return the api key of a request's frame."""
    return int.from_bytes(data[4:6], "big")


def has_disconnected(source: StreamReader) -> bool:
    """Whether a client has closed its connection, orderly or not."""
    return source.at_eof() or source.exception() is not None
