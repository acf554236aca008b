"""The report of a stream's audit in the terminal."""

from collections.abc import Iterable

from rich.console import Console, Group
from rich.text import Text

from modstream.audit.result import AuditResult
from modstream.report.absent_parts import absent_parts
from modstream.report.formatting import format_verdict
from modstream.report.report_table import ExpectedZero, ReportTable
from modstream.report.tables import report_tables
from modstream.report.text_table import TableColumn, fit_columns, render_table


def print_report(result: AuditResult, console: Console) -> None:
    """Print the verdict and the tables, for a terminal of at least 80 columns."""
    absent = [Text(sentence, "dim") for sentence in absent_parts(result)]
    tables = (_render_table(table, console.width) for table in report_tables(result))
    console.print(Group(_render_verdict(result), *tables, "", *absent, *[""] * bool(absent)))


def print_tables(tables: Iterable[ReportTable], console: Console) -> None:
    """Print tables one below the other."""
    console.print(Group(*(_render_table(table, console.width) for table in tables)))


def _render_verdict(result: AuditResult) -> Text:
    word, reason = format_verdict(result)
    return Text.assemble((word, "bold green" if result.is_sound else "bold red"), "  ", reason)


def _render_table(data: ReportTable, width: int) -> Group:
    columns = [
        TableColumn(name, tuple(str(row[index]) for row in data.rows), is_numeric=index > 0)
        for index, name in enumerate(data.columns)
    ]

    def style(row: int, column: str) -> str:
        cell = data.rows[row][data.columns.index(column)]
        if not isinstance(cell, ExpectedZero):
            return ""
        return "bold red" if cell.count else "green"

    # A column of counts that must be zero says most when it is zero.
    must_be_zero = {
        name
        for row in data.rows
        for name, cell in zip(data.columns, row, strict=True)
        if isinstance(cell, ExpectedZero)
    }
    drop = [name for name in reversed(data.columns) if name not in must_be_zero]
    layout = fit_columns(columns, width, drop, drops_empty=False)
    hidden = [f"no room for {', '.join(layout.hidden)}"] if layout.hidden else []
    notes = [Text(note, "dim") for note in (*data.notes, *hidden)]
    table = render_table(layout, header_style="default", cell_style=style)
    return Group("", Text(data.title, "bold"), "", table, *notes)
