"""What the features of a row depend on besides its values."""

from typing import NamedTuple


class RowOrigin(NamedTuple):
    """The time of a row's request in ms since the epoch, and the key of its record."""

    time: int
    key: bytes | None
