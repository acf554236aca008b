"""Points in time as people type them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

AGO = re.compile(r"(\d{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
FORMS = "2026-11-24T17:30 (UTC unless it says otherwise), 90m ago as 90m, or ms since the epoch"


def moment(text: str) -> int:
    """Read a point in time as ms since the epoch.

    Raises:
        typer.BadParameter: it is none.
    """
    ago = AGO.fullmatch(text)
    if ago:
        before = timedelta(**{UNITS[ago[2]]: int(ago[1])})
        return round((datetime.now(UTC) - before).timestamp() * 1000)
    if text.isdecimal() and len(text) > 8:
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write {FORMS}") from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def option(name: str, text: str) -> object:
    """An option that takes a point in time, or nothing."""
    return typer.Option(name, parser=moment, metavar="TIME", help=text, show_default=False)


Since = Annotated[int | None, option("--since", "Not before: a time, or so long ago as 2h.")]
