"""The account of a stream in the terminal."""

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from modstream.audit.figures import Figures
from modstream.report.tables import Cell, Nought, Sheet, sheets
from modstream.report.formatting import verdict


def print_report(figures: Figures, console: Console) -> None:
    """Print the verdict and the tables; 80 columns are enough."""
    console.print(Group(_verdict(figures), *map(_section, sheets(figures)), ""))


def _verdict(figures: Figures) -> Text:
    word, reason = verdict(figures)
    return Text.assemble((word, "bold green" if figures.sound else "bold red"), "  ", reason)


def _section(sheet: Sheet) -> Group:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="default")
    for place, column in enumerate(sheet.columns):
        table.add_column(column, justify="right" if place else "left", overflow="fold")
    for row in sheet.rows:
        table.add_row(*map(_cell, row))
    below = [Padding(Text(line, "dim"), (0, 0, 0, 1)) for line in sheet.lines]
    return Group("", Text(sheet.title, "bold"), "", table, *below)


def _cell(cell: Cell) -> Text:
    if isinstance(cell, Nought):
        return Text(str(cell), "bold red" if cell.count else "green")
    return Text(cell)
