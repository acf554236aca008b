"""Output of the commands: tables for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

stdout = Console()
stderr = Console(stderr=True)
"""Console for everything that is not the result, so that the result can be piped."""


def print_rows(
    records: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str, title: str | None = None
) -> None:
    """Print mappings that have the same keys as a table, or as a JSON array.

    `empty` is the message on standard error if there are no rows; JSON then is an empty array.
    """
    if as_json:
        print_json(list(records))
        return
    if not records:
        stderr.print(empty)
        return
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", header_style="bold")
    for name in records[0]:
        is_numeric = all(isinstance(record[name], int | float) for record in records)
        table.add_column(name.replace("_", " "), justify="right" if is_numeric else "left")
    for record in records:
        table.add_row(*(_cell(value) for value in record.values()))
    stdout.print(table)


def print_json(value: object) -> None:
    """Print a value as indented JSON, unwrapped, and coloured only on a terminal."""
    stdout.print_json(json.dumps(value, default=str))


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    # Text from records could contain rich's markup.
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))
