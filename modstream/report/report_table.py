"""A table of a report."""

from dataclasses import dataclass

from modstream.report.formatting import format_count


@dataclass(frozen=True, slots=True)
class ExpectedZero:
    """A count that must be zero."""

    count: int

    def __str__(self) -> str:
        return format_count(self.count)


Cell = str | ExpectedZero


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of numbers with a title and notes."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
