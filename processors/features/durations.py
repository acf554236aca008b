"""Durations as text, and the widths of the slices into which windows are cut."""

import re

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MIN_SLICES = 48
"""The number of slices that a window has at least, unless its definition has a width."""

_UNITS = {"ms": 1, "s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_WIDTHS = (
    *(count * DAY_MS for count in (7, 1)),
    *(count * HOUR_MS for count in (12, 6, 3, 2, 1)),
    *(count * MINUTE_MS for count in (30, 15, 10, 5, 2, 1)),
    *(count * SECOND_MS for count in (30, 15, 10, 5, 2, 1)),
    *(500, 200, 100, 50, 20, 10, 5, 2, 1),
)


def parse_duration(text: str) -> int:
    """Return the milliseconds of a duration such as "90s", "1h" or "7d".

    Raises:
        ValueError: it is no duration, or no whole number of milliseconds.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'{text!r} is no duration: write it like "90s", "5m", "1h" or "7d"')
    whole, _, fraction = found[1].partition(".")
    unit = _UNITS[found[2]]
    thousandths, rest = divmod(int(fraction or 0) * unit, int("1" + "0" * len(fraction)))
    if rest:
        raise ValueError(f"{text!r} is no whole number of milliseconds")
    return int(whole) * unit + thousandths


def default_slice(window: int) -> int:
    """Return the widest round width, in ms, that cuts a window into at least MIN_SLICES slices."""
    for width in _WIDTHS:
        if window % width == 0 and window // width >= MIN_SLICES:
            return width
    return 1
