"""A sticky share of the traffic for the challenger: by key, so that a key always meets the same."""

from zlib import crc32

CHAMPION, CHALLENGER = "champion", "challenger"


def alias_for(key: bytes, share: float) -> str:
    """The alias that answers a key; of many keys `share` (0 to 1) go to the challenger."""
    return CHALLENGER if crc32(key) < share * 2**32 else CHAMPION
