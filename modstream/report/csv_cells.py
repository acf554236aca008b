"""Cells of CSV files for people: no text in them is a formula of a spreadsheet. No I/O."""

import re
from collections.abc import Iterable

FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001 - a spreadsheet reads wide forms, too
"""How a text begins that a spreadsheet may compute."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def spreadsheet_cells(row: Iterable[object]) -> list[object]:
    """Return the cells of a row; a text that would be a formula gets an apostrophe before it.

    Numbers stay as they are, also those written as text.
    """
    return [_quote(cell) if isinstance(cell, str) else cell for cell in row]


def _quote(text: str) -> str:
    if FORMULA.match(text) and not NUMBER.fullmatch(text):
        return f"'{text}"
    return text
