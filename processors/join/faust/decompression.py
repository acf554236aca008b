"""Decompression of record batches within a limit."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import cramjam
import numpy as np

MAX_BATCH_SIZE = 32 * 1024 * 1024
"""Maximum size of a batch when it is decompressed. Producers fill batches up to 1 MB by default,
and a batch of one record has at most MAX_RECORD_BYTES."""
XERIAL_MAGIC = b"\x82SNAPPY\0"
"""The beginning of snappy's blocks as the Java library writes them."""


class UnreadableBatch(ValueError):
    """A batch, or a record in it, is damaged or larger than `MAX_BATCH_SIZE`."""


def _gunzip(content: bytes) -> bytes:
    parts, size = [], 0
    while content:
        stream = zlib.decompressobj(wbits=31)
        parts.append(stream.decompress(content, MAX_BATCH_SIZE + 1 - size))
        size += len(parts[-1])
        if size > MAX_BATCH_SIZE:
            raise _too_large()
        if not stream.eof:
            raise UnreadableBatch("the compressed content is incomplete")
        content = stream.unused_data
    return b"".join(parts)


def _unpack_with(decompress_into: Callable[[bytes, Any], int]) -> Callable[[bytes], bytes]:
    def unpack(content: bytes) -> bytes:
        # Memory that is never written is never allocated.
        room = np.empty(MAX_BATCH_SIZE, np.uint8)
        return room[: decompress_into(content, room)].tobytes()

    return unpack


def _unpack_snappy(content: bytes) -> bytes:
    """Decompress snappy, raw or in the blocks of the Java library."""
    if not content.startswith(XERIAL_MAGIC):
        return _unpack_snappy_block(content)
    parts, size, position = [], 0, 16
    while position < len(content):
        (length,) = struct.unpack_from(">i", content, position)
        position += 4
        if length < 0 or position + length > len(content):
            raise UnreadableBatch("a compressed block is longer than its batch")
        parts.append(_unpack_snappy_block(content[position : position + length]))
        position += length
        size += len(parts[-1])
        if size > MAX_BATCH_SIZE:
            raise _too_large()
    return b"".join(parts)


def _unpack_snappy_block(content: bytes) -> bytes:
    if cramjam.snappy.decompress_raw_len(content) > MAX_BATCH_SIZE:
        raise _too_large()
    return bytes(cramjam.snappy.decompress_raw(content))


def _too_large() -> UnreadableBatch:
    return UnreadableBatch(f"it has more than {MAX_BATCH_SIZE:,} bytes when decompressed")


DECOMPRESSORS: dict[int, Callable[[bytes], bytes]] = {
    1: _gunzip,
    2: _unpack_snappy,
    3: _unpack_with(cramjam.lz4.decompress_into),
    4: _unpack_with(cramjam.zstd.decompress_into),
}
"""The decompressor of each codec."""
