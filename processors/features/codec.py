"""Partial aggregates and their keys as bytes, for topics and stores."""

from functools import lru_cache

import msgspec

from modstream.processors.errors import UnreadableFeatureState
from modstream.processors.features.events import PartialKey
from modstream.processors.features.partials import KindName, Partial

_Key = tuple[str, str, tuple[str, ...], int]
_KEY_ENCODER = msgspec.json.Encoder()
_KEY_DECODER = msgspec.json.Decoder(_Key)
_ENCODER = msgspec.msgpack.Encoder()
_DECODERS: dict[KindName, msgspec.msgpack.Decoder[Partial]] = {
    "count": msgspec.msgpack.Decoder(int),
    "moments": msgspec.msgpack.Decoder(tuple[int, int | bytes, int]),
    "min": msgspec.msgpack.Decoder(float),
    "max": msgspec.msgpack.Decoder(float),
    "newest": msgspec.msgpack.Decoder(int),
    "last": msgspec.msgpack.Decoder(tuple[int, str, float]),
    "hashes": msgspec.msgpack.Decoder(tuple[int, ...]),
    "histogram": msgspec.msgpack.Decoder(tuple[tuple[int, int], ...]),
}
_MAX_INT = 2**63
MAX_KEYS = 16_384
"""The number of keys that are remembered: those of the newest slices come again and again."""


def encode_key(owner: str, key: PartialKey) -> bytes:
    """Return an owner and a key as JSON; equal keys have equal bytes."""
    return _KEY_ENCODER.encode((owner, *key))


@lru_cache(MAX_KEYS)
def decode_key(content: bytes) -> tuple[str, PartialKey]:
    """Return the owner and the key.

    Raises:
        UnreadableFeatureState: the bytes are no key.
    """
    try:
        owner, aggregation, group, number = _KEY_DECODER.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableFeatureState(f"key: {error}") from None
    return owner, PartialKey(aggregation, group, number)


def encode_partial(kind: KindName, partial: Partial) -> bytes:
    """Return a partial aggregate as MessagePack; integers of more than 64 bits as bytes."""
    if kind == "moments" and not -_MAX_INT <= partial[1] < _MAX_INT:
        size = partial[1].bit_length() // 8 + 1
        partial = (partial[0], partial[1].to_bytes(size, "big", signed=True), partial[2])
    return _ENCODER.encode(partial)


def decode_partial(kind: KindName, content: bytes) -> Partial:
    """Return the partial aggregate of a kind.

    Raises:
        UnreadableFeatureState: the bytes are none of that kind.
    """
    try:
        partial = _DECODERS[kind].decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableFeatureState(f"{kind}: {error}") from None
    if kind == "moments" and isinstance(partial[1], bytes):
        return (partial[0], int.from_bytes(partial[1], "big", signed=True), partial[2])
    return partial
