"""The results as a table on the console."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from bench.results import Missing, Summary
from modstream.report.text_table import TableColumn, fit_columns, render_table

COLUMNS = (
    "part", "case", "system", "measure", "median", "spread", "of pass-through", "target", ""
)  # fmt: skip
NUMERIC_COLUMNS = frozenset({"median", "spread", "of pass-through"})
DROP = ("spread", "target", "of pass-through")
"""Columns that a narrow terminal leaves out first."""


def print_table(console: Console, summaries: Sequence[Summary], missing: Iterable[Missing]) -> None:
    """Print one row for each summary, and one line for each missing result."""
    rows = [cells(summary) for summary in summaries]
    columns = [
        TableColumn(name, tuple(row[index] for row in rows), name in NUMERIC_COLUMNS)
        for index, name in enumerate(COLUMNS)
    ]
    layout = fit_columns(columns, console.width, DROP)
    console.print(Text("modstream's benchmark", "bold"), render_table(layout), sep="\n")
    if layout.hidden:
        console.print(f"no room for {', '.join(layout.hidden)}: the page shows all", markup=False)
    for one in missing:
        console.print(f"{one.part} {one.case}: {one.reason}", markup=False)


def cells(summary: Summary) -> tuple[str, ...]:
    """Return the cells of one row of the table."""
    measurement = summary.measurement
    return (
        measurement.part,
        measurement.case,
        system_label(summary),
        measurement.measure,
        format_number(summary.median),
        f"{format_number(summary.minimum)}-{format_number(summary.maximum)}"
        if summary.rounds > 1
        else "",
        "" if summary.ratio is None else f"{summary.ratio:.2f}",
        "" if summary.target is None else str(summary.target),
        verdict(summary),
    )


def system_label(summary: Summary) -> str:
    """Return the name of the measured system with its delivery mode."""
    name, mode = summary.measurement.system, summary.measurement.mode
    return f"{name}, {mode.replace('_', ' ')}" if mode else name


def verdict(summary: Summary) -> str:
    """Return whether the target was met, in one word; empty without a target."""
    return {None: "", True: "met", False: "missed"}[summary.is_met]


def format_number(value: float) -> str:
    """Format a number: whole from 1000 on, else with three significant digits."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
