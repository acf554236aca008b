"""The bytes of requests in each format that workers can read; floats are random."""

import json
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from modstream.broker.wire.records import Headers

ID_PLACEHOLDER = "{0123456789}"
"""Placeholder of the request id. Ids have the same length, so lengths in headers stay valid."""
DECIMALS = 9

Features = Mapping[str, str | float]


class Payload(NamedTuple):
    """A record's value, with a placeholder for the id, and its headers."""

    value: bytes
    headers: Headers = ()

    def with_id(self, request_id: bytes) -> bytes:
        """Return the value with the placeholder replaced by an id."""
        return self.value.replace(ID_PLACEHOLDER.encode(), request_id, 1)


PayloadMaker = Callable[[random.Random], Payload]
"""Draws one payload."""


def request_id(number: int) -> bytes:
    """Return the id of a request, with the length of the placeholder."""
    return b"%0*d" % (len(ID_PLACEHOLDER), number)


def row(names: Sequence[str]) -> PayloadMaker:
    """Return a maker of requests with one row of floats by name, as JSON."""
    return lambda rng: _json({"features": {name: _random_float(rng) for name in names}})


def table_rows(table: Sequence[Features]) -> PayloadMaker:
    """Return a maker of requests with a random row of a table, by name, as JSON."""
    return lambda rng: _json({"features": rng.choice(table)})


def tensor(width: int) -> PayloadMaker:
    """Return a maker of requests with one [1, width] tensor of the V2 protocol, as JSON.

    Source: the Open Inference Protocol, https://github.com/kserve/open-inference-protocol.
    """
    return lambda rng: _json(
        {"inputs": [_tensor_head(width) | {"data": _random_floats(rng, width)}]}
    )


def binary_tensor(width: int) -> PayloadMaker:
    """Return a maker of requests with the tensor's data after the JSON, as little-endian float32.

    Source: the binary tensor data extension of the Open Inference Protocol V2,
    https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
    and Triton's extension_binary_data.md. Kafka headers replace the HTTP headers of the extension.
    """

    def draw(rng: random.Random) -> Payload:
        data = struct.pack(f"<{width}f", *_random_floats(rng, width))
        tensor = _tensor_head(width) | {"parameters": {"binary_data_size": len(data)}}
        head = _json({"inputs": [tensor]}).value
        headers = (
            ("content-type", b"application/octet-stream"),
            ("inference-header-content-length", str(len(head)).encode()),
        )
        return Payload(head + data, headers)

    return draw


def padded(maker: PayloadMaker, size: int) -> PayloadMaker:
    """Return a maker of the same JSON requests with a field of random text, `size` bytes long."""

    def draw(rng: random.Random) -> Payload:
        value, headers = maker(rng)
        missing = size - len(value) - len(b'"padding":"",')
        text = rng.randbytes(max(0, missing) // 2 + 1).hex()[: max(0, missing)]
        return Payload(b'{"padding":"%s",' % text.encode() + value[1:], headers)

    return draw


def to_random_model(maker: PayloadMaker, names: Sequence[str]) -> PayloadMaker:
    """Return a maker of the same JSON requests, each to a random one of several models."""

    def draw(rng: random.Random) -> Payload:
        value, headers = maker(rng)
        return Payload(b'{"model":"%s",' % rng.choice(names).encode() + value[1:], headers)

    return draw


def _json(request: Mapping[str, object]) -> Payload:
    return Payload(
        json.dumps({"id": ID_PLACEHOLDER} | dict(request), separators=(",", ":")).encode()
    )


def _tensor_head(width: int) -> dict[str, object]:
    return {"name": "features", "shape": [1, width], "datatype": "FP32"}


def _random_float(rng: random.Random) -> float:
    return round(rng.random(), DECIMALS)


def _random_floats(rng: random.Random, count: int) -> list[float]:
    return [_random_float(rng) for _ in range(count)]
