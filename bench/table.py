"""The findings as one table."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from bench.results import Gap, Summary

COLUMNS = ("part", "case", "subject", "figure", "median", "spread", "of the limit", "goal", "")


def show(console: Console, found: Sequence[Summary], gaps: Iterable[Gap]) -> None:
    """Print one line for each figure, and a remark for each that there is none of."""
    table = Table(title="modstream's benchmark")
    for name in COLUMNS:
        numeric = name in ("median", "spread", "of the limit")
        table.add_column(name, justify="right" if numeric else "left")
    before: tuple[str, ...] = ()
    for summary in found:
        place = summary.of[:2]
        if before and place != before:
            table.add_section()
        table.add_row(*cells(summary))
        before = place
    console.print(table)
    for gap in gaps:
        console.print(f"{gap.part} {gap.case}: {gap.reason}", markup=False)


def cells(summary: Summary) -> tuple[str, ...]:
    """One figure as words."""
    of = summary.of
    return (
        of.part,
        of.case,
        who(summary),
        of.measure,
        number(summary.middle),
        f"{number(summary.low)}-{number(summary.high)}" if summary.rounds > 1 else "",
        "" if summary.ratio is None else f"{summary.ratio:.2f}",
        "" if summary.goal is None else str(summary.goal),
        verdict(summary),
    )


def who(summary: Summary) -> str:
    """Whose figure it is."""
    of = summary.of
    return f"{of.subject}, {of.mode.replace('_', ' ')}" if of.mode else of.subject


def verdict(summary: Summary) -> str:
    """Whether the goal was reached, in a word."""
    return {None: "", True: "reached", False: "missed"}[summary.reached]


def number(value: float) -> str:
    """A figure with as many digits as it deserves."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
