"""Bodies of HTTP requests: read within a limit, and uncompressed."""

import zlib

from starlette.requests import Request

from modstream.producers.gateway.errors import BodyTooLarge, InvalidCall, UnsupportedEncoding

WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""The window of zlib for each content encoding."""


async def read_body(request: Request, limit: int, declared: str, encoding: str) -> bytes:
    """Return the uncompressed body of a request.

    Args:
        request: the request, whose body is not read yet.
        limit: the maximum number of bytes, as sent and uncompressed.
        declared: the header `Content-Length`, empty if absent.
        encoding: the header `Content-Encoding`.

    Raises:
        BodyTooLarge: it has more than `limit` bytes, as sent or uncompressed.
        UnsupportedEncoding: its encoding is unknown.
        InvalidCall: its encoding is damaged, or the caller has gone.
    """
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(limit)
    chunks, size = [], 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise InvalidCall("the caller has closed the connection")
        chunks.append(chunk := message.get("body", b""))
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(limit)
        more = message.get("more_body", False)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    encoding = encoding.strip().lower()
    return body if encoding in {"identity", ""} else uncompress(body, encoding, limit)


def uncompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a compressed body uncompressed.

    Raises:
        UnsupportedEncoding: the encoding is neither gzip nor deflate.
        BodyTooLarge: the result has more than `limit` bytes.
        InvalidCall: the body is damaged.
    """
    bits = WINDOW_BITS.get(encoding)
    if bits is None:
        raise UnsupportedEncoding(f"the content encoding {encoding[:40]!r} is not gzip or deflate")
    decompressor = zlib.decompressobj(bits)
    try:
        plain = decompressor.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidCall(f"the body is not valid {encoding}: {error}") from None
    if len(plain) > limit:
        raise BodyTooLarge(limit, "the uncompressed body")
    if not decompressor.eof or decompressor.unused_data:
        raise InvalidCall(f"the body is not one whole {encoding} stream")
    return plain
