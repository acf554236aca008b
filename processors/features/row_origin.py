"""What the features of rows depend on besides their values."""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class RowOrigins(NamedTuple):
    """The times of rows' requests in ms since the epoch, and what returns their records' keys.

    The keys are asked for only if a feature is grouped by them.
    """

    times: Sequence[int]
    keys: Callable[[], Sequence[bytes]]
