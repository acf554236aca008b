"""Figures as words, the same in terminal and page."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite

from modstream.audit.figures import Figures

NOTHING = "-"


def number(value: float) -> str:
    """A count with its thousands marked."""
    return f"{value:,.0f}"


def score(value: float) -> str:
    """A score to four places."""
    return f"{value:.4f}" if isfinite(value) else NOTHING


def share(value: float) -> str:
    """A part of a whole, in percent."""
    return f"{value:.1%}".replace(".0%", "%") if isfinite(value) else NOTHING


def difference(value: float) -> str:
    """A difference of scores with its sign."""
    return f"{value:+.4f}" if isfinite(value) else NOTHING


def milliseconds(value: float) -> str:
    """A latency, finer where it is short."""
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def date(at: int) -> str:
    """The day of an event time (ms)."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")


def duration(seconds: float) -> str:
    """A span of wall time."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def span(ms: float) -> str:
    """A span of event time to two digits, in the largest unit that fits."""
    units = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))
    unit, size = next(((unit, size) for unit, size in units if ms >= 2 * size), ("ms", 1))
    return f"{ms / size:.3g} {unit}"


def counts(found: Mapping[str, int]) -> str:
    """Counts by name in one line; names with nothing are left out."""
    told = [f"{name.replace('_', ' ')} {number(count)}" for name, count in found.items() if count]
    return ", ".join(told) or NOTHING


def verdict(figures: Figures) -> tuple[str, str]:
    """The verdict in one word, and what it rests on in one sentence."""
    if not figures.sound:
        found = (f"{fault}: {number(count)}" for fault, count in figures.faults.items())
        return "NOT SOUND", f"{'; '.join(found)}."
    models = " and ".join(figures.route)
    requests, sent = number(figures.delivery.requests), number(figures.labels.sent)
    told = f"Each of {requests} requests left through exactly one door per model ({models})"
    told += f"; each of {sent} labels is accounted for"
    return (
        "SOUND",
        f"{told}; no row was learned twice or skipped." if figures.learning else told + ".",
    )
