"""The columns of some rows while wrangling steps run, and the rows that failed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modstream.models.datasets.columns import ColumnKind
from modstream.models.pipelines.references import Reference
from modstream.processors.pipeline.values import Mask, Value, is_nowhere

DTYPES: Mapping[ColumnKind, npt.DTypeLike] = {
    "float": np.float64,
    "int": np.int64,
    "bool": np.bool_,
    "string": np.object_,
}
"""The type of the data of each kind; the others stay as they are."""
Kinds = Mapping[str, ColumnKind]


@dataclass(slots=True)
class WrangleTable:
    """Columns of n rows.

    `rows` (n,) has their numbers in the rows that were given. `failures` has by these numbers why
    rows that are no longer there have failed, with the label of the step.
    """

    columns: dict[str, Value]
    rows: npt.NDArray[np.intp]
    failures: dict[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of rows n."""
        return len(self.rows)

    def value(self, reference: Reference) -> Value:
        """Return the value of a column in each row."""
        return self.columns[reference.field]

    def keep(self, mask: Mask) -> None:
        """Leave out the rows where a mask, shape (n,), is false."""
        if mask.all():
            return
        kept = np.flatnonzero(mask)
        self.columns = {name: value.take(kept) for name, value in self.columns.items()}
        self.rows = self.rows[kept]

    def fail(self, mask: Mask, step: str, reason: str) -> None:
        """Leave out the rows where a mask, shape (n,), is true, since a step fails on them."""
        for row in self.rows[mask].tolist():
            self.failures.setdefault(row, (step, reason))
        self.keep(~mask)


def with_kind(value: Value, kind: ColumnKind, size: int) -> Value:
    """Return a value of n rows with the data type of its kind, without the mask of failed rows."""
    found = value.expand(size)
    dtype = np.dtype(DTYPES[kind])
    if found.data.dtype == dtype:
        return Value(found.data, found.missing)
    if is_nowhere(found):
        return Value(np.zeros(size, dtype), found.missing)
    data = found.data
    if found.missing is not None:
        data = np.where(found.missing, np.zeros(1, data.dtype), data)
    return Value(data.astype(dtype), found.missing)
