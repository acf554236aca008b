"""Texts that clients choose, cut and printable. Pure."""

MAX_ID = 120
"""Number of characters of an id or a key that are shown."""


def cut(text: str, limit: int = MAX_ID) -> str:
    """Return the beginning of a text, with a question mark for what cannot be printed."""
    shown = text[:limit]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else "?" for c in shown)
    return shown if len(text) <= limit else f"{shown}…"


def cut_key(key: bytes | None) -> str:
    """Return the beginning of a record's key; "" without one."""
    return "" if key is None else cut(key[: 4 * MAX_ID + 4].decode(errors="replace"))
