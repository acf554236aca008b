"""Calls of the load generator as bytes, and the replies to them: HTTP/1.1, and gRPC over HTTP/2.

Both protocols are spoken without a library: one made for clients costs more than the servers that
are measured.
"""

import asyncio
import re
from collections.abc import Callable
from typing import NamedTuple, cast

FRAME_HEAD = 9
"""Length of the head of an HTTP/2 frame."""
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
WINDOW = 2**31 - 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
OK, FAILED = 200, 599
"""The statuses of a call over gRPC; one whose connection was closed has FAILED in HTTP as well."""


class Reply(NamedTuple):
    """A reply: its HTTP status, and its whole text if it is an error."""

    status: int
    text: bytes = b""


OnReply = Callable[["CallConnection", Reply], None]


class CallConnection(asyncio.Protocol):
    """A connection with one call at a time; `asked_at` and `sent_at` belong to its caller."""

    def __init__(self, on_reply: OnReply) -> None:
        self._on_reply = on_reply
        self._buffer = b""
        self._is_busy = False
        self.is_closed = False
        self.asked_at = self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Fail the call in hand."""
        self.is_closed = True
        if self._is_busy:
            self._finish(Reply(FAILED, b"the connection was closed"))

    def send(self, call: bytes) -> None:
        """Send a call."""
        self._is_busy = True
        self._transport.write(call)

    def close(self) -> None:
        """Close the connection; the call in hand is forgotten."""
        self._is_busy = False
        self._transport.close()

    def _finish(self, reply: Reply) -> None:
        self._is_busy = False
        self._on_reply(self, reply)


class HttpConnection(CallConnection):
    """A connection of HTTP/1.1, kept alive."""

    def data_received(self, data: bytes) -> None:
        """Read a response, which has a content length."""
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = LENGTH.search(self._buffer, 0, end)
        if found is None:
            self._transport.abort()
            return
        if len(self._buffer) < end + 4 + int(found[1]):
            return
        status = int(self._buffer[9:12])
        text = b"" if status == OK else self._buffer
        self._buffer = b""
        self._finish(Reply(status, text))


class GrpcConnection(CallConnection):
    """A connection of HTTP/2 for unary calls of gRPC, one stream after the other."""

    def __init__(self, on_reply: OnReply) -> None:
        super().__init__(on_reply)
        self._stream = 1
        self._has_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the connection, with the largest windows."""
        super().connection_made(transport)
        settings = b"\x00\x04" + WINDOW.to_bytes(4, "big")
        grown = (WINDOW - 65_535).to_bytes(4, "big")
        self._transport.write(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(0x8, 0, 0, grown))

    def send(self, call: bytes) -> None:
        """Send a call, whose frames have the stream number 0."""
        stream = self._stream.to_bytes(4, "big")
        headers = int.from_bytes(call[:3], "big") + FRAME_HEAD
        self._has_data = False
        super().send(
            b"".join(
                (
                    *(call[:5], stream, call[FRAME_HEAD : headers + 5]),
                    *(stream, call[headers + FRAME_HEAD :]),
                )
            )
        )

    def data_received(self, data: bytes) -> None:
        """Read frames; a call has succeeded if its stream had data and ended in order."""
        self._buffer = self._buffer + data if self._buffer else data
        while len(self._buffer) >= FRAME_HEAD:
            size = int.from_bytes(self._buffer[:3], "big") + FRAME_HEAD
            if len(self._buffer) < size:
                return
            head, payload = self._buffer[:FRAME_HEAD], self._buffer[FRAME_HEAD:size]
            self._buffer = self._buffer[size:]
            self._take(head[3], head[4], payload)

    def _take(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == DATA:
            self._has_data = True
        elif kind == SETTINGS and not flags & ACK:
            self._transport.write(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self._transport.write(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self._transport.close()
        if kind == RST_STREAM or (kind in {DATA, HEADERS} and flags & END_STREAM):
            is_good = self._has_data and kind == HEADERS
            self._stream += 2
            self._finish(Reply(OK) if is_good else Reply(FAILED, payload))


def http_call(method: str, path: str, body: bytes, headers: str = "") -> bytes:
    """Return a call of HTTP/1.1 with a JSON body; each of the further headers ends with CRLF."""
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"{headers}content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def grpc_call(path: str, message: bytes) -> bytes:
    """Return a unary call of gRPC as two frames of stream 0."""
    fields = (
        *(b"\x83\x86\x04", text(path), b"\x01", text("bench")),  # POST, http, path, authority
        *(b"\x0f\x10", text("application/grpc")),  # content-type
        *(b"\x00", text("te"), text("trailers")),
    )
    body = b"\x00" + len(message).to_bytes(4, "big") + message
    headers = frame(HEADERS, END_HEADERS, 0, b"".join(fields))
    return headers + frame(DATA, END_STREAM, 0, body)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame of HTTP/2."""
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
    return head + payload


def text(value: str) -> bytes:
    """Return a short text as HPACK has it, not compressed."""
    return bytes((len(value),)) + value.encode()
