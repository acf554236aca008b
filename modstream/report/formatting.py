"""Text formats of numbers and dates, shared by the console and HTML reports."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite

from modstream.audit.result import AuditResult

PLACEHOLDER = "-"


def format_count(value: float) -> str:
    """Return a count with thousands separators."""
    return f"{value:,.0f}"


def format_size(size: int) -> str:
    """Return a number of bytes in megabytes, or in kilobytes below 0.1 MB."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"


def format_score(value: float) -> str:
    """Return a score with four decimal places, or a placeholder if it is not finite."""
    return f"{value:.4f}" if isfinite(value) else PLACEHOLDER


def format_percent(value: float) -> str:
    """Return a share (0 to 1) in percent, or a placeholder if it is not finite."""
    return f"{value:.1%}".replace(".0%", "%") if isfinite(value) else PLACEHOLDER


def format_difference(value: float) -> str:
    """Return a signed difference of scores, or a placeholder if it is not finite."""
    return f"{value:+.4f}" if isfinite(value) else PLACEHOLDER


def format_ms(value: float) -> str:
    """Return milliseconds, with one decimal place below 10."""
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def format_date(event_time: int) -> str:
    """Return the UTC date of an event time (ms since the epoch)."""
    return datetime.fromtimestamp(event_time / 1000, UTC).strftime("%Y-%m-%d")


def format_duration(seconds: float) -> str:
    """Return a duration in minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def format_interval(ms: float) -> str:
    """Return a duration to three digits, in the largest unit of which it has at least two."""
    units = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))
    unit, size = next(((unit, size) for unit, size in units if ms >= 2 * size), ("ms", 1))
    return f"{ms / size:.3g} {unit}"


def format_counts(counts: Mapping[str, int]) -> str:
    """Return the non-zero counts by name in one line, or a placeholder if there are none."""
    parts = [
        f"{name.replace('_', ' ')} {format_count(count)}" for name, count in counts.items() if count
    ]
    return ", ".join(parts) or PLACEHOLDER


def format_verdict(result: AuditResult) -> tuple[str, str]:
    """Return the verdict, and its reason in one sentence."""
    if not result.is_sound:
        faults = (f"{fault}: {format_count(count)}" for fault, count in result.faults.items())
        return "NOT SOUND", f"{'; '.join(faults)}."
    models = " and ".join(result.route)
    requests, sent = format_count(result.delivery.requests), format_count(result.labels.sent)
    reason = f"Each of {requests} requests has exactly one response per model ({models})"
    if result.labels.sent:
        reason += f"; each of {sent} labels is accounted for"
    if result.learning:
        reason += "; no row was learned twice or skipped"
    return "SOUND", f"{reason}."
