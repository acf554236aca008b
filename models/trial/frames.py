"""Frames on a stream socket: 8 bytes of length, then the content."""

import socket
import struct
from typing import Any

_LENGTH = struct.Struct("!Q")
_MAX_CHUNK = 1024 * 1024


def as_scalar(value: Any) -> Any:  # noqa: ANN401 - what JSON does not know
    """Return a numpy scalar as Python's, for JSON; anything else as text."""
    return value.item() if hasattr(value, "item") else str(value)


def send_frame(connection: socket.socket, content: bytes) -> None:
    """Send one frame."""
    connection.sendall(_LENGTH.pack(len(content)))
    connection.sendall(content)


def receive_frame(connection: socket.socket) -> bytes:
    """Receive one frame.

    Raises:
        EOFError: the other end was closed before the frame was complete.
    """
    (length,) = _LENGTH.unpack(_receive(connection, _LENGTH.size))
    return _receive(connection, length)


def _receive(connection: socket.socket, length: int) -> bytes:
    content = bytearray()
    while len(content) < length:
        chunk = connection.recv(min(length - len(content), _MAX_CHUNK))
        if not chunk:
            raise EOFError
        content += chunk
    return bytes(content)
