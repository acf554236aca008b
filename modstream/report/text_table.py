"""Layout of tables: the columns that a terminal has room for, and their widths. No I/O."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

GAP = 2
"""Characters between two columns."""
LONGEST_WORD = 24
"""Number of characters up to which a word is kept on one line; longer ones may be folded."""
TEXT_WIDTH = 20
"""Number of characters that a column of text gets at least, if it has that many."""
EMPTY_CELLS = frozenset({"", "0", "–"})
SEPARATOR = re.compile(r"(?<=[_:/,])|(?<=[.-])(?=\D)")
"""Where a long word is folded if possible: behind a separator, but not within a number."""


CellStyle = Callable[[int, str], str]


def plain(_row: int, _column: str) -> str:
    """Return the style of plain text."""
    return ""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: its name, its cells as text, and whether they are figures, which never wrap."""

    name: str
    cells: tuple[str, ...]
    is_numeric: bool = False

    @property
    def header(self) -> str:
        """The name as it is shown."""
        return re.sub(r"(?<=\d)_(?=\d)", ".", self.name).replace("_", " ")

    @property
    def width(self) -> int:
        """The width at which no cell wraps."""
        lines = (line for cell in (self.header, *self.cells) for line in cell.splitlines())
        return max(map(cell_len, lines), default=0)

    @property
    def min_width(self) -> int:
        """The width below which a figure would be cut, or a word folded that need not be."""
        header = max(map(cell_len, self.header.split()), default=0)
        if self.is_numeric:
            return max(header, *map(cell_len, self.cells))
        words = (cell_len(word) for cell in self.cells for word in cell.split())
        longest = min(max(words, default=0), LONGEST_WORD)
        return min(self.width, max(header, longest, TEXT_WIDTH))

    @property
    def is_empty(self) -> bool:
        """Whether every cell is zero or empty, so that the column says least."""
        return EMPTY_CELLS.issuperset(self.cells)


class TableLayout(NamedTuple):
    """The columns that are shown with their widths, and the names of the others."""

    columns: tuple[TableColumn, ...]
    widths: tuple[int, ...]
    hidden: tuple[str, ...]


def fit_columns(
    columns: Sequence[TableColumn],
    width: int,
    drop: Sequence[str] = (),
    *,
    drops_empty: bool = True,
) -> TableLayout:
    """Return the layout of a table in `width` characters; the least important columns are hidden.

    Empty columns are hidden first, unless `drops_empty` is false, then those that `drop` names, in
    its order, then the others from the right. The first column is never hidden.
    """
    hidden: list[str] = []
    for name in _drop_order(columns, drop, drops_empty=drops_empty):
        if _total(columns, hidden) <= width:
            break
        hidden.append(name)
    shown = tuple(column for column in columns if column.name not in hidden)
    names = tuple(column.header for column in columns if column.name in hidden)
    return TableLayout(shown, _share(shown, width), names)


def render_table(
    layout: TableLayout, *, header_style: str = "bold", cell_style: CellStyle = plain
) -> Table:
    """Return a layout as a table of rich; its cells are text without markup.

    `cell_style` returns the style of a cell by its row and its column's name.
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),
        header_style=header_style,
    )
    for column, width in zip(layout.columns, layout.widths, strict=True):
        table.add_column(
            Text(column.header),
            width=width,
            justify="right" if column.is_numeric else "left",
            overflow="fold",
        )
    for number, row in enumerate(zip(*(one.cells for one in layout.columns), strict=True)):
        cells = zip(layout.columns, layout.widths, row, strict=True)
        table.add_row(
            *(Text(fold(cell, width), cell_style(number, one.name)) for one, width, cell in cells)
        )
    return table


def fold(cell: str, width: int) -> str:
    """Return a text with spaces in words that are wider than a column, behind separators if any."""
    return re.sub(r"\S+", lambda word: " ".join(_fold_word(word[0], width)), cell)


def _fold_word(word: str, width: int) -> Iterator[str]:
    line = ""
    for part in SEPARATOR.split(word) if cell_len(word) > width else [word]:
        if line and cell_len(line + part) > width:
            yield line
            line = ""
        line += part
    yield line


def _drop_order(
    columns: Sequence[TableColumn], drop: Sequence[str], *, drops_empty: bool
) -> list[str]:
    others = columns[:0:-1]
    empty = [column.name for column in others if column.is_empty and drops_empty]
    named = [name for name in drop if any(column.name == name for column in others)]
    return list(dict.fromkeys((*empty, *named, *(column.name for column in others))))


def _total(columns: Sequence[TableColumn], hidden: Sequence[str]) -> int:
    widths = [column.min_width + GAP for column in columns if column.name not in hidden]
    return sum(widths) - GAP


def _share(columns: Sequence[TableColumn], width: int) -> tuple[int, ...]:
    """Return the widths: each column's minimum, and a fair part of what is left."""
    widths = {column.name: min(column.min_width, width) for column in columns}
    left = width - sum(widths.values()) - GAP * (len(columns) - 1)
    wishes = {column.name: max(column.width - widths[column.name], 0) for column in columns}
    waiting = len(columns)
    for name in sorted(wishes, key=wishes.__getitem__):
        more = min(wishes[name], max(left, 0) // waiting)
        widths[name] += more
        left -= more
        waiting -= 1
    return tuple(widths[column.name] for column in columns)
