"""A table of a stream of rows: its columns fit the terminal, and no cell is cut. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

from modstream.cli.output_text import wrap_text

GAP = "  "
TEXT_WIDTH = 30
"""Number of characters that the last column gets at least, if it has that many."""
Cells = Mapping[str, str]
"""The cells of a row by column; a column without a value is left out."""


@dataclass(slots=True)
class StreamTable:
    """Formats rows as lines with aligned columns, while further rows are still unknown.

    `columns` are in the order in which they are shown; the last one has free text, which is wrapped
    between words. `priority` is the order of their importance: the last is dropped first, the first
    never. A column appears with its first value. When a column appears, is dropped or becomes
    wider, the header is repeated.
    """

    columns: Sequence[str]
    priority: Sequence[str]
    width: int
    _widths: dict[str, int] = field(default_factory=dict)
    _header: str = ""

    def lines(self, rows: Iterable[Cells]) -> Iterator[str]:
        """Yield the lines of rows that arrived together, with a header where one is needed."""
        rows = list(rows)
        for row in rows:
            for name, cell in row.items():
                known = self._widths.get(name, cell_len(name))
                self._widths[name] = max(known, cell_len(cell))
        shown = self._fitting()
        (header,) = self._row({name: name for name in shown}, shown) if rows else ("",)
        if rows and header != self._header:
            self._header = header
            yield header
        for row in rows:
            yield from self._row(row, shown)

    def _fitting(self) -> list[str]:
        """Return the columns that fit side by side."""
        used = [name for name in self.columns if name in self._widths]
        for name in reversed(self.priority[1:]):
            if sum(self._needed(one) + len(GAP) for one in used) - len(GAP) <= self.width:
                break
            used = [one for one in used if one != name]
        return used

    def _needed(self, name: str) -> int:
        width = self._widths[name]
        return min(width, TEXT_WIDTH) if name == self.columns[-1] else width

    def _row(self, row: Cells, shown: Sequence[str]) -> Iterator[str]:
        """Yield the lines of a row: several if its text is wrapped."""
        aligned = [name for name in shown if name != self.columns[-1]]
        first = GAP.join(self._pad(name, row.get(name, "")) for name in aligned)
        text = row.get(self.columns[-1], "") if self.columns[-1] in shown else ""
        indent = cell_len(first) + len(GAP)
        room = max(self.width - indent, TEXT_WIDTH)
        for number, piece in enumerate(wrap_text(text, room)):
            start = first + GAP if number == 0 else " " * indent
            yield (start + piece).rstrip()

    def _pad(self, name: str, cell: str) -> str:
        return cell + " " * (self._widths[name] - cell_len(cell))
