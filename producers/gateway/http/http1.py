"""HTTP/1.1 as the gateway speaks it: uvicorn's protocol, with two answers of its own.

Bytes that are not HTTP are answered in JSON. Clients that offer to go on in HTTP/2, as Java's own
client does by default, are answered in HTTP/1.1, as section 7.8 of RFC 9110 permits. httptools
stops at the offer, so that the body of the request is lost; the offer is renamed before that.
"""

import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BAD_REQUEST = b'{"error":"this is not a valid HTTP request","code":"invalid_call"}'
NOT_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%b" % (len(BAD_REQUEST), BAD_REQUEST)
)
"""The answer to bytes that are not HTTP, after which nothing on the connection can be read."""
REQUEST_HEAD = re.compile(rb"[A-Z]+ \S+ HTTP/1\.1\r\n")
OFFER = re.compile(rb"\r\nupgrade(?=:[ \t]*h2c)", re.IGNORECASE)
IGNORED = b"\r\nignored"
"""A name of the same length, so that nothing else moves."""


class Http1Protocol(HttpToolsProtocol):
    """One connection."""

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        super().data_received(ignore_offer(data) if b"h2c" in data else data)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - it says the same
        """Answer bytes that are not HTTP in JSON, as every other call."""
        self.transport.write(NOT_HTTP)
        self.transport.close()


def ignore_offer(data: bytes) -> bytes:
    """Return what has arrived, with an offer in a request's head renamed."""
    if REQUEST_HEAD.match(data) is None:
        return data
    head, end, rest = data.partition(b"\r\n\r\n")
    return OFFER.sub(IGNORED, head) + end + rest
