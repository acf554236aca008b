"""Output of the commands: tables for people, JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.progress import Progress, ProgressColumn
from rich.text import Text

from modstream.report.text_table import TableColumn, fit_columns, render_table
from modstream.terminal import SafeConsole, safe_progress

stdout = SafeConsole()
stderr = SafeConsole(to_stderr=True)
"""Console for everything that is not the result, so that the result can be piped."""

MAX_PLAIN_NUMBER = 1e15
"""Larger floats are written with an exponent."""


def print_rows(
    records: Sequence[Mapping[str, Any]],
    *,
    as_json: bool,
    empty: str,
    title: str | None = None,
    drop: Sequence[str] = (),
    is_noted: bool = True,
) -> tuple[str, ...]:
    """Print mappings that have the same keys as a table, or as a JSON array.

    In a narrow terminal, texts wrap and the least important columns are left out. A figure is
    never cut.

    Args:
        records: the rows, by column.
        as_json: whether JSON is printed.
        empty: the message on standard error if there are no rows; JSON then is an empty array.
        title: the line above the table.
        drop: columns that are left out first, the least important one first. Columns that are
            not named are left out from the right, the first one never.
        is_noted: whether standard error names the columns that are left out.

    Returns:
        The names of the columns that are left out.
    """
    if as_json:
        print_json(list(records))
        return ()
    if not records:
        stderr.print(empty)
        return ()
    layout = fit_columns(to_columns(records), stdout.width, drop)
    if title is not None:
        stdout.print(Text(title, "bold"))
    stdout.print(render_table(layout))
    if layout.hidden and is_noted:
        print_hidden(layout.hidden)
    stdout.print()
    return layout.hidden


def print_hidden(columns: Iterable[str]) -> None:
    """Name the columns for which the terminal has no room, on standard error."""
    names = ", ".join(columns)
    stderr.print(Text(f"no room for {names}: a wider terminal or --json shows all", "dim"))


def open_progress(*columns: ProgressColumn) -> Progress:
    """Return a progress display on standard error; nothing is shown if that is no terminal."""
    return safe_progress(*columns, console=stderr, is_shown=stderr.is_terminal)


def to_columns(records: Sequence[Mapping[str, Any]]) -> list[TableColumn]:
    """Return the columns of rows that have the same keys."""
    columns = []
    for name in records[0]:
        values = [record[name] for record in records]
        is_numeric = all(isinstance(value, int | float | None) for value in values)
        columns.append(TableColumn(name, tuple(map(format_cell, values)), is_numeric))
    return columns


def printable(text: str) -> str:
    """Return a text with control characters escaped: a name must not steer the terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def print_json(value: object) -> None:
    """Print a value as indented JSON, unwrapped, and coloured only on a terminal."""
    stdout.print_document(value)


def format_cell(value: object) -> str:
    """Return a value as the text of a table's cell."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1000 <= abs(value) < MAX_PLAIN_NUMBER else f"{value:.4g}"
    return "\n".join(map(printable, str(value).splitlines()))
