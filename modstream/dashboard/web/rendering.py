"""Templates, and how figures are written in them. Everything is escaped."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shlex import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
ABSENT = "–"
"""Stands for a figure that is unknown."""


class Renderer:
    """Renders the templates of the dashboard for one stream."""

    def __init__(self, stream: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(FILTERS)
        self._environment.globals.update(stream=stream, asset=AssetAddresses(STATIC))

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """Return a template with these values as HTML."""
        return self._environment.get_template(template).render(values)


class AssetAddresses:
    """The addresses of static files, which change with their contents so that caches may last."""

    def __init__(self, folder: Path) -> None:
        self._addresses = {
            name: f"/static/{name}?v={sha256(path.read_bytes()).hexdigest()[:12]}"
            for path in sorted(folder.rglob("*"))
            if path.suffix in {".css", ".js", ".svg"}
            for name in (path.relative_to(folder).as_posix(),)
        }

    def __call__(self, name: str) -> str:
        """Return the address of a file by its path in the folder."""
        return self._addresses[name]


def count(value: float | None) -> str:
    """Return a count with thousands separators."""
    return ABSENT if value is None else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Return a rate to three digits."""
    if value is None:
        return ABSENT
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def milliseconds(value: float | None) -> str:
    """Return milliseconds with their unit; seconds from ten of them on."""
    if value is None:
        return ABSENT
    if value >= 10_000:
        return f"{value / 1000:,.1f} s"
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.2g} ms"


def percent(value: float | None) -> str:
    """Return a share from 0 to 1 in percent."""
    return ABSENT if value is None else f"{value:.1%}"


def figure(value: float | None) -> str:
    """Return a metric to four digits; whole numbers with thousands separators."""
    if value is None:
        return ABSENT
    if abs(value) >= 1000 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.4g}"


def signed(value: float | None) -> str:
    """Return a difference with its sign."""
    return ABSENT if value is None else f"{value:+.3g}"


def p_value(value: float | None) -> str:
    """Return a p-value to two digits; very small ones as less than a bound."""
    if value is None:
        return ABSENT
    return "<0.0001" if value < 0.0001 else f"{value:.2g}"


def capitalize_first(text: str) -> str:
    """Return a text with a capital at its beginning; abbreviations stay as they are."""
    return text[:1].upper() + text[1:]


def moment(value: float | None) -> str:
    """Return a time in ms since the epoch as date and time of UTC."""
    return _format_time(value, "%Y-%m-%d %H:%M:%S")


def clock(value: float | None) -> str:
    """Return the time of day of a time in ms since the epoch, in UTC."""
    return _format_time(value, "%H:%M:%S")


def iso(value: float | None) -> str:
    """Return a time in ms since the epoch for the attribute of an HTML `time` element."""
    return _format_time(value, "%Y-%m-%dT%H:%M:%SZ")


def interval(value: float | None) -> str:
    """Return a duration in ms to three digits, in its largest unit."""
    if value is None:
        return ABSENT
    for unit, factor in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g} ms"


def size(value: float | None) -> str:
    """Return a number of bytes in its largest unit."""
    if value is None:
        return ABSENT
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= factor:
            return f"{value / factor:,.1f} {unit}"
    return f"{value:,.0f} B"


def words(value: str) -> str:
    """Return the name of a counter or rule as words."""
    return value.replace("_", " ")


def _format_time(value: float | None, pattern: str) -> str:
    if value is None:
        return ABSENT
    try:
        return datetime.fromtimestamp(value / 1000, UTC).strftime(pattern)
    except (OverflowError, OSError, ValueError):
        return ABSENT


FILTERS: Mapping[str, Callable[..., object]] = {
    "count": count,
    "rate": rate,
    "ms": milliseconds,
    "percent": percent,
    "figure": figure,
    "signed": signed,
    "p_value": p_value,
    "capitalize_first": capitalize_first,
    "moment": moment,
    "clock": clock,
    "iso": iso,
    "interval": interval,
    "size": size,
    "words": words,
    "shell": quote,
}
