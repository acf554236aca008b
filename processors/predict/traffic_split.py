"""The traffic split between champion and challenger, sticky by key."""

from zlib import crc32

from modstream.models.registry.refs import CHALLENGER, CHAMPION


def alias_for(key: bytes, share: float) -> str:
    """Return the alias that answers a key; `share` (0 to 1) of many keys go to the challenger."""
    return CHALLENGER if crc32(key) < share * 2**32 else CHAMPION
