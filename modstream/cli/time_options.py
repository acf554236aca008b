"""Options that take a point in time or a duration, and times as text."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

RELATIVE_TIME = re.compile(r"(\d{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
TIME_FORMATS = (
    "2026-11-24T17:30 (UTC unless it has an offset), 90m for 90 minutes ago, or ms since the epoch"
)
YEAR_10000_MS = 253_402_300_800_000
"""First time that `datetime` cannot represent, in ms since the epoch; any producer can send it."""


def parse_time(text: str) -> int:
    """Return a point in time, as an option names it, in ms since the epoch.

    Raises:
        typer.BadParameter: the text has none of the supported formats.
    """
    try:
        milliseconds = _parse_time(text)
    except (ValueError, OverflowError):
        milliseconds = -1
    if not 0 <= milliseconds < YEAR_10000_MS:
        raise typer.BadParameter(f"{text!r} is not a time; write {TIME_FORMATS}")
    return milliseconds


def _parse_time(text: str) -> int:
    relative = RELATIVE_TIME.fullmatch(text)
    if relative:
        age = timedelta(**{UNITS[relative[2]]: int(relative[1])})
        return round((datetime.now(UTC) - age).timestamp() * 1000)
    if text.isdecimal() and len(text) > 8:
        return int(text)
    time = datetime.fromisoformat(text)
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def parse_duration(text: str) -> int:
    """Return a duration such as 30d, 12h, 90m or 15s in ms.

    Raises:
        typer.BadParameter: the text is none, or is 0.
    """
    found = RELATIVE_TIME.fullmatch(text)
    seconds = (
        0.0 if found is None else timedelta(**{UNITS[found[2]]: int(found[1])}).total_seconds()
    )
    if not seconds:
        raise typer.BadParameter(f"{text!r} is not a duration; write 30d, 12h, 90m or 15s")
    return round(seconds * 1000)


def format_time(timestamp_ms: int) -> str:
    """Return a time in UTC as text; the bare number if a calendar cannot represent it."""
    if not 0 <= timestamp_ms < YEAR_10000_MS:
        return str(timestamp_ms)
    return f"{datetime.fromtimestamp(timestamp_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def time_option(name: str, text: str) -> object:
    """Return an option whose value is a point in time, or None."""
    return typer.Option(name, parser=parse_time, metavar="TIME", help=text, show_default=False)


SinceOption = Annotated[
    int | None, time_option("--since", "Only records from this time on: a date, or an age as 2h.")
]
UntilOption = Annotated[
    int | None, time_option("--until", "Only records before this time: a date, or an age as 2h.")
]
