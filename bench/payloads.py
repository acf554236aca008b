"""The bytes of requests, in each form that a worker may be sent; floats are random."""

import json
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from modstream.broker.wire.records import Headers

ID = "{0123456789}"
"""Stands where a request's id goes; ids are as long, so that lengths told in a record stay true."""
DECIMALS = 9

Features = Mapping[str, str | float]


class Payload(NamedTuple):
    """A record's value, but for its id, and its headers."""

    value: bytes
    headers: Headers = ()

    def with_id(self, request_id: bytes) -> bytes:
        """The value of the request of that id."""
        return self.value.replace(ID.encode(), request_id, 1)


Maker = Callable[[random.Random], Payload]
"""Draws one payload."""


def request_id(number: int) -> bytes:
    """The id of a request, as long as the place that is kept for it."""
    return b"%0*d" % (len(ID), number)


def row(names: Sequence[str]) -> Maker:
    """One row of floats by name, as JSON."""
    return lambda rng: _json({"features": {name: _drawn(rng) for name in names}})


def rows_of(table: Sequence[Features]) -> Maker:
    """One row of a table, by name, as JSON."""
    return lambda rng: _json({"features": rng.choice(table)})


def tensor(width: int) -> Maker:
    """One [1, width] tensor of the Open Inference Protocol V2, as JSON."""
    return lambda rng: _json({"inputs": [_head(width) | {"data": _drawn_many(rng, width)}]})


def binary_tensor(width: int) -> Maker:
    """The same tensor with its data behind the JSON, as float32 in little-endian order.

    Source: the binary tensor data extension of the Open Inference Protocol V2,
    https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
    and Triton's extension_binary_data.md; what HTTP says in its headers, Kafka's headers say.
    """

    def draw(rng: random.Random) -> Payload:
        data = struct.pack(f"<{width}f", *_drawn_many(rng, width))
        described = _head(width) | {"parameters": {"binary_data_size": len(data)}}
        head = _json({"inputs": [described]}).value
        headers = (
            ("content-type", b"application/octet-stream"),
            ("inference-header-content-length", str(len(head)).encode()),
        )
        return Payload(head + data, headers)

    return draw


def padded(maker: Maker, size: int) -> Maker:
    """The same JSON requests, brought to `size` bytes by a field of random text."""

    def draw(rng: random.Random) -> Payload:
        value, headers = maker(rng)
        missing = size - len(value) - len(b'"padding":"",')
        text = rng.randbytes(max(0, missing) // 2 + 1).hex()[: max(0, missing)]
        return Payload(b'{"padding":"%s",' % text.encode() + value[1:], headers)

    return draw


def to_model(maker: Maker, names: Sequence[str]) -> Maker:
    """The same JSON requests, each to one of several models."""

    def draw(rng: random.Random) -> Payload:
        value, headers = maker(rng)
        return Payload(b'{"model":"%s",' % rng.choice(names).encode() + value[1:], headers)

    return draw


def _json(request: Mapping[str, object]) -> Payload:
    return Payload(json.dumps({"id": ID} | dict(request), separators=(",", ":")).encode())


def _head(width: int) -> dict[str, object]:
    return {"name": "features", "shape": [1, width], "datatype": "FP32"}


def _drawn(rng: random.Random) -> float:
    return round(rng.random(), DECIMALS)


def _drawn_many(rng: random.Random, count: int) -> list[float]:
    return [_drawn(rng) for _ in range(count)]
