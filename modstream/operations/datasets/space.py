"""How much space a data set will need, and whether the disk has it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from modstream.datasets.errors import NotEnoughSpace
from modstream.report.formatting import format_size

MARGIN = 1.2
"""How much larger than its estimate a data set may become."""
SAMPLE_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class SpaceEstimate:
    """The estimated size of the rows as Parquet.

    `rows` is None if it is not known before the source is read to its end. Sizes are in bytes;
    `temporary` is what is needed besides, until the data set is complete.
    """

    rows: int | None
    size: int | None
    sampled_rows: int
    temporary: int
    free: int

    def __str__(self) -> str:
        if self.size is None:
            return f"size unknown before the source is read; {self.free / 1e9:,.1f} GB free"
        rows = "" if self.rows is None else f" for {self.rows:,} rows"
        needed = f"about {format_size(self.size)} of Parquet{rows}"
        extra = f", {format_size(self.temporary)} temporarily" if self.temporary else ""
        return (
            f"{needed}{extra}, by a sample of {self.sampled_rows:,} rows;"
            f" {self.free / 1e9:,.1f} GB free"
        )


def free_space(folder: Path) -> int:
    """Return the free bytes of the disk of a folder, or of its nearest parent that exists."""
    existing = next(one for one in (folder, *folder.resolve().parents) if one.exists())
    return shutil.disk_usage(existing).free


def require_space(folder: Path, estimate: SpaceEstimate) -> None:
    """Raise if the disk of a folder has too little space for an estimated data set.

    Raises:
        NotEnoughSpace: it has less than the estimate with its margin.
    """
    needed = int((estimate.size or 0) * MARGIN) + estimate.temporary
    if needed > estimate.free:
        raise NotEnoughSpace(folder, needed, estimate.free)
