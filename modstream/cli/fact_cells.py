"""Facts about a request as cells of a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from modstream.cli.time_options import format_time

SHORT_HASH_LENGTH = 12
"""Number of hexadecimal digits of a hash in tables."""
POSITION_FIELDS = ("position", "source", "version_marker")
"""Fields of the form `topic:partition:offset`; tables name the topic once, in the title."""
MAX_FIELDS = 20
"""Fields of a mapping within a cell that are printed."""
MAX_ITEMS, MAX_MAPPINGS = 5, 1
"""Items of a list within a cell that are printed, and those of a list of mappings."""
MAX_CHARACTERS = 500
"""Characters of a text within a cell that are printed."""


def format_facts(facts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return facts as rows of a table: times as dates, hashes shortened, no empty columns."""
    rows = [{name: format_value(name, value) for name, value in fact.items()} for fact in facts]
    used = [name for name in rows[0] if any(row[name] is not None for row in rows)] if rows else []
    return [{name: row[name] for name in used} for row in rows]


def format_value(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a field's value as a table shows it; an empty text becomes None."""
    if value is None or value == "":
        return None
    if name in {"timestamp", "event_time"}:
        return format_time(value)
    if name == "sha256":
        return value[:SHORT_HASH_LENGTH]
    if name in POSITION_FIELDS:
        return value.partition(":")[2]
    if isinstance(value, float):
        return value if name else f"{value:.6g}"
    return _shorten(value)


def _shorten(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a mapping, a list or a text in one line of bounded length."""
    if isinstance(value, dict):
        return join_first([f"{key}: {format_value('', item)}" for key, item in value.items()])
    if isinstance(value, list | tuple):
        is_plain = not value or not isinstance(value[0], dict)
        limit = MAX_ITEMS if is_plain else MAX_MAPPINGS
        shown = ", ".join(str(format_value("", item)) for item in value[:limit])
        return f"{limit} of {len(value):,}: {shown}" if len(value) > limit else shown
    if isinstance(value, str) and len(value) > MAX_CHARACTERS:
        return f"{value[:MAX_CHARACTERS]}…"
    return value


def join_first(fields: Sequence[str]) -> str:
    """Return the first fields of a mapping in one line, and how many more there are."""
    more, shown = len(fields) - MAX_FIELDS, ", ".join(fields[:MAX_FIELDS])
    return f"{shown} and {more:,} more fields" if more > 0 else shown
