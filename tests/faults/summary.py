"""The summary table of all scenarios, printed at the end of a test run."""

from dataclasses import dataclass, field

from modstream.operations.verify.audit import Fault, VerificationResult

FAULTS = (
    Fault.LOST,
    Fault.DUPLICATE,
    Fault.PHANTOM,
    Fault.REORDERED,
    Fault.ABORTED_READ,
    Fault.CORRUPTED,
)
HEAD = ("scenario", "requests", "faults", "inside", *map(str, FAULTS), "seconds")


@dataclass
class SummaryTable:
    """A table with one row per scenario.

    The column `faults` counts the faults that occurred, `inside` those inside a delivery. `notes`
    are further measurements, printed below the rows.
    """

    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self, scenario: str, result: VerificationResult, faults: int, inside: int, seconds: float
    ) -> None:
        counts = [f"{result.count(fault):,}" for fault in FAULTS]
        facts = (f"{result.requests:,}", f"{faults:,}", f"{inside:,}")
        self.rows.append((scenario, *facts, *counts, f"{seconds:.1f}"))

    def lines(self) -> list[str]:
        """Return the table as lines of text with aligned columns, and the notes."""
        table = [HEAD, *self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return [
            "  ".join(
                cell.rjust(width) if number else cell.ljust(width)
                for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        ] + self.notes
