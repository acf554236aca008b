"""A data set divided into a training set and a sealed test set, which name it as their parent."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import DataSet, Provenance
from modstream.datasets.errors import NotSplittable
from modstream.datasets.parquet import load_library
from modstream.datasets.staged_version import Description, parent_of

TRAIN, TEST = "-train", "-test"
GROUP_DIGITS = 13
"""Hexadecimal digits of a hash that make a number between 0 and 1."""

By = Literal["time", "group"]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """How a data set is divided.

    By `time`, the newest rows are the test, a share `test` of them. By `group`, all rows with the
    same value of `column` are in one part. `known` is the column with the times at which labels
    became known: training rows whose label was known only after the border are left out.
    """

    by: By
    test: float
    column: str | None = None
    known: str | None = None


class Split(NamedTuple):
    """The parts of a data set, and the number of rows that are in neither."""

    train: DataSet
    test: DataSet
    left_out: int


class _Parts(NamedTuple):
    """Which rows, shape (n,), belong to which part, and what is recorded of the border."""

    train: Mask
    test: Mask
    details: dict[str, Any]


def split_dataset(catalogue: Catalogue, dataset: DataSet, spec: SplitSpec, prefix: str) -> Split:
    """Add the data sets `<prefix>-train` and `<prefix>-test`; the test is sealed.

    Raises:
        NotSplittable: a column does not exist or has missing values, or a part would be empty.
        LockHeld: another process writes one of them.
        CatalogueUnusable: files cannot be read or written.
    """
    parts = _by_time(dataset, spec) if spec.by == "time" else _by_group(dataset, spec)
    for name, mask in (("train", parts.train), ("test", parts.test)):
        if not mask.any():
            raise NotSplittable(str(dataset), f"the {name} part would have no rows")
    left_out = int((~(parts.train | parts.test)).sum())
    details = {"by": spec.by, "test": spec.test, "left_out": left_out, **parts.details}
    test = _write(catalogue, dataset, f"{prefix}{TEST}", parts.test, details)
    details |= {"sibling": str(test)}
    train = _write(catalogue, dataset, f"{prefix}{TRAIN}", parts.train, details)
    return Split(train, test, left_out)


def _by_time(dataset: DataSet, spec: SplitSpec) -> _Parts:
    column = spec.column or dataset.time_column
    if column is None:
        raise NotSplittable(
            str(dataset), "it has no time column: name one with --column, or split by group"
        )
    times = _times(dataset, column)
    first = max(0, len(times) - max(1, round(spec.test * len(times))))
    border = np.sort(times)[first]
    test = times >= border
    train = ~test
    if spec.known is not None:
        train &= _times(dataset, spec.known, may_miss=True) < border
    return _Parts(train, test, {"column": column, "border": float(border), "known": spec.known})


def _by_group(dataset: DataSet, spec: SplitSpec) -> _Parts:
    if spec.column is None:
        raise NotSplittable(str(dataset), "name the column of the groups with --column")
    values = _column(dataset, spec.column).to_pylist()
    shares = {value: _share_of(value) for value in set(values)}
    test = np.array([shares[value] < spec.test for value in values], np.bool_)
    groups = {"groups": len(shares), "test_groups": sum(one < spec.test for one in shares.values())}
    return _Parts(~test, test, {"column": spec.column, **groups})


def _share_of(value: object) -> float:
    """Return a number from 0 to below 1 that depends on a value only: the same in each version."""
    digits = sha256(repr(value).encode()).hexdigest()[:GROUP_DIGITS]
    return int(digits, 16) / float(16**GROUP_DIGITS)


def _times(dataset: DataSet, column: str, *, may_miss: bool = False) -> npt.NDArray[np.float64]:
    """Return the times of a column as numbers, shape (n,); infinite where they are missing."""
    arrow, values = load_library("pyarrow"), _column(dataset, column)
    if arrow.types.is_timestamp(values.type) or arrow.types.is_date(values.type):
        values = values.cast(arrow.timestamp("ms"), safe=False).cast(arrow.int64())
    elif not (arrow.types.is_integer(values.type) or arrow.types.is_floating(values.type)):
        raise NotSplittable(str(dataset), f"{column} has no times, but {values.type}")
    found = np.asarray(values.cast(arrow.float64(), safe=False).to_numpy(), np.float64)
    missing = np.isnan(found)
    if missing.any() and not may_miss:
        raise NotSplittable(str(dataset), f"{column} is missing in {int(missing.sum()):,} rows")
    return np.where(missing, np.inf, found)


def _column(dataset: DataSet, name: str) -> Any:  # noqa: ANN401 - of pyarrow
    names = [column.name for column in dataset.columns]
    if name not in names:
        known = ", ".join(names)
        raise NotSplittable(str(dataset), f"it has no column {name}: it has {known}")
    return dataset.read_table([name]).column(0)


def _write(
    catalogue: Catalogue, dataset: DataSet, name: str, mask: Mask, details: dict[str, Any]
) -> DataSet:
    facts = dataset.facts
    origin = Provenance(operation="split", source=str(dataset), details=details)
    with catalogue.create(name) as staged:
        staged.write_batches(dataset.arrow_schema(), _filtered(dataset, mask))
        return staged.commit(
            Description(
                origin,
                parent=parent_of(dataset),
                label=facts.label,
                time_column=facts.time_column,
                description=facts.description,
                access=facts.access,
                license=facts.license,
                sealed=name.endswith(TEST),
            )
        )


def _filtered(dataset: DataSet, mask: Mask) -> Iterator[Any]:
    """Yield the rows of a data set where a mask, shape (n,), is true."""
    arrow, first = load_library("pyarrow"), 0
    for batch in dataset.batches():
        yield batch.filter(arrow.array(mask[first : first + batch.num_rows]))
        first += batch.num_rows
