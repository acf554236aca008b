"""Tables for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

out = Console()
say = Console(stderr=True)
"""For everything that is not the result, so that the result can be piped."""


def rows(
    found: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str, title: str | None = None
) -> None:
    """Print mappings with the same keys: as a table, or as a JSON array."""
    if as_json:
        print_json(list(found))
        return
    if not found:
        say.print(empty)
        return
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", header_style="bold")
    for name in found[0]:
        numeric = all(isinstance(row[name], int | float) for row in found)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left")
    for row in found:
        table.add_row(*(_cell(value) for value in row.values()))
    out.print(table)


def print_json(value: object) -> None:
    """Print a value as indented JSON, unwrapped and uncoloured unless to a terminal."""
    out.print_json(json.dumps(value, default=str))


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    # What records say of themselves is no markup.
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))
