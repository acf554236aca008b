"""The closing table: what each scenario did and found, printed at the end of a run."""

from dataclasses import dataclass, field

from modstream.operations.verify.audit import Fault, Verdict

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
class ClosingTable:
    """One row a scenario; `faults` counts those that hit, `inside` those inside a delivery.

    `notes` are further figures that a scenario measured, each in a line below the rows.
    """

    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self, scenario: str, verdict: Verdict, faults: int, inside: int, seconds: float
    ) -> None:
        counts = [f"{verdict.count(fault):,}" for fault in FAULTS]
        facts = (f"{verdict.requests:,}", f"{faults:,}", f"{inside:,}")
        self.rows.append((scenario, *facts, *counts, f"{seconds:.1f}"))

    def lines(self) -> list[str]:
        """The table as text, columns aligned."""
        table = [HEAD, *self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return [
            "  ".join(
                cell.rjust(width) if number else cell.ljust(width)
                for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        ] + self.notes
