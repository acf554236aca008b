"""Periods of event time by which figures are given: months, days or hours."""

import numpy as np

from modstream.models.evaluation.arrays import IntArray

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MIN_BLOCKS = 10
"""Smallest number of blocks from which a variance is estimated."""
MAX_BLOCKS = 400
"""Number of blocks; with more periods, several consecutive ones are a block."""
MAX_PERIODS = 72
"""Number of periods that have figures, the newest ones."""


def period_unit(first: int, last: int) -> str:
    """Return the unit of the periods between two times in ms: month, day or hour."""
    duration = last - first
    if duration > 70 * DAY_MS:
        return "month"
    return "day" if duration > 3 * DAY_MS else "hour"


def period_starts(times: IntArray, unit: str) -> IntArray:
    """Return the start of each time's period in UTC, (n,); all in ms since the epoch."""
    code = {"month": "M", "day": "D", "hour": "h"}[unit]
    periods = times.astype("datetime64[ms]").astype(f"datetime64[{code}]")
    return periods.astype("datetime64[ms]").astype(np.int64)


def block_unit(times: IntArray) -> str:
    """Return the unit of the blocks of rows that may depend on each other: day, hour or row.

    Days, if there are at least `MIN_BLOCKS` of them, else hours, if there are as many of these.
    """
    for unit in ("day", "hour"):
        if len(np.unique(period_starts(times, unit))) >= MIN_BLOCKS:
            return unit
    return "row"


def blocks_of(times: IntArray, unit: str) -> IntArray | None:
    """Return the block of each row, (n,), by the unit of blocks; None if rows are the blocks."""
    if unit == "row":
        return None
    distinct, numbers = np.unique(period_starts(times, unit), return_inverse=True)
    return numbers // -(-len(distinct) // MAX_BLOCKS)


def newest_periods(starts: IntArray) -> IntArray:
    """Return the starts of the newest `MAX_PERIODS` periods, in ascending order."""
    return np.unique(starts)[-MAX_PERIODS:]
