"""The results as a table on the console."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from bench.results import Missing, Summary

COLUMNS = (
    "part", "case", "system", "measure", "median", "spread", "of pass-through", "target", ""
)  # fmt: skip


def print_table(console: Console, summaries: Sequence[Summary], missing: Iterable[Missing]) -> None:
    """Print one row for each summary, and one line for each missing result."""
    table = Table(title="modstream's benchmark")
    for name in COLUMNS:
        is_numeric = name in ("median", "spread", "of pass-through")
        table.add_column(name, justify="right" if is_numeric else "left")
    previous: tuple[str, ...] = ()
    for summary in summaries:
        group = summary.measurement[:2]
        if previous and group != previous:
            table.add_section()
        table.add_row(*cells(summary))
        previous = group
    console.print(table)
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
