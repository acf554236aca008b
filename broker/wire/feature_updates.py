"""The keys and values of a topic of features, as any reader can decode them."""

from typing import Any

import msgspec

from modstream.broker.errors import NotJson

EXPIRED = "expired"
MAX_KEY_PARTS = 4


def read_feature_key(key: bytes | None) -> list[Any]:
    """Return the parts of a key: owner, aggregation, group, slice; those behind may be missing.

    Raises:
        NotJson: the key is not a JSON array of one to four parts.
    """
    try:
        parts = msgspec.json.decode(key or b"", type=list)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(f"the key: {error}") from None
    if not 0 < len(parts) <= MAX_KEY_PARTS:
        raise NotJson(f"the key has {len(parts)} parts")
    return parts


def read_feature_value(value: bytes | None) -> object:
    """Return a value, which is MessagePack or an offset in decimal digits; a tombstone is expired.

    Raises:
        NotJson: the value is neither.
    """
    if value is None:
        return EXPIRED
    if value.isdigit():
        return int(value)
    try:
        return msgspec.msgpack.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(f"the value: {error}") from None
