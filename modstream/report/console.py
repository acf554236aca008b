"""The report of a stream's audit in the terminal."""

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from modstream.audit.result import AuditResult
from modstream.report.formatting import format_verdict
from modstream.report.report_table import Cell, ExpectedZero, ReportTable
from modstream.report.tables import report_tables


def print_report(result: AuditResult, console: Console) -> None:
    """Print the verdict and the tables, for a terminal of at least 80 columns."""
    console.print(Group(_render_verdict(result), *map(_render_table, report_tables(result)), ""))


def _render_verdict(result: AuditResult) -> Text:
    word, reason = format_verdict(result)
    return Text.assemble((word, "bold green" if result.is_sound else "bold red"), "  ", reason)


def _render_table(data: ReportTable) -> Group:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="default")
    for index, column in enumerate(data.columns):
        table.add_column(column, justify="right" if index else "left", overflow="fold")
    for row in data.rows:
        table.add_row(*map(_render_cell, row))
    notes = [Padding(Text(note, "dim"), (0, 0, 0, 1)) for note in data.notes]
    return Group("", Text(data.title, "bold"), "", table, *notes)


def _render_cell(cell: Cell) -> Text:
    if isinstance(cell, ExpectedZero):
        return Text(str(cell), "bold red" if cell.count else "green")
    return Text(cell)
