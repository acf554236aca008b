"""The profile of a data set, computed column by column from its files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modstream.datasets.dataset import DataSet
from modstream.datasets.parquet import load_library
from modstream.models.datasets.associations import Associations, associate
from modstream.models.datasets.column_profiles import (
    ColumnProfile,
    profile_numbers,
    profile_texts,
)
from modstream.models.datasets.columns import DatasetColumn
from modstream.models.datasets.label_proposal import LabelProposal, propose_label
from modstream.models.datasets.profile import DatasetProfile

SAMPLE_ROWS = 50_000
"""Number of rows that associations are computed from; of more, every k-th."""
NUMBERS, CATEGORIES = frozenset({"float", "int", "timestamp"}), frozenset({"string", "bool"})


def profile_dataset(dataset: DataSet) -> DatasetProfile:
    """Return the profile of a data set. One column is in memory at a time.

    Raises:
        CatalogueUnusable: a file cannot be read.
        DataLibraryMissing: pyarrow is not installed.
    """
    columns = tuple(_profile_column(dataset, column) for column in dataset.columns)
    provenance, label = dataset.facts.provenance, propose_label(columns, dataset.label)
    return DatasetProfile(
        title=str(dataset),
        origin=str(dataset.parent or provenance.source),
        rows=dataset.rows,
        size=sum(file.size for file in dataset.facts.files),
        columns=columns,
        associations=_associate(dataset, columns, label),
        label=label,
        time_column=dataset.time_column,
        sha256=dataset.sha256,
    )


def _profile_column(dataset: DataSet, column: DatasetColumn) -> ColumnProfile:
    values = dataset.read_table([column.name]).column(0)
    if column.kind in NUMBERS:
        numbers = _numbers(values)
        present = numbers[~np.isnan(numbers)]
        return profile_numbers(column.name, column.kind, dataset.rows, present)
    if column.kind not in CATEGORIES:
        return ColumnProfile(column.name, column.kind, dataset.rows, values.null_count, 0)
    counted = values.drop_null().value_counts().to_pylist()
    counts = [(_text(one["values"]), int(one["counts"])) for one in counted]
    return profile_texts(column.name, column.kind, dataset.rows, counts)


def _associate(
    dataset: DataSet, columns: Sequence[ColumnProfile], label: LabelProposal | None
) -> Associations:
    """Return the associations of all columns but ids, in a sample of the rows that have a label."""
    arrow = load_library("pyarrow")
    labelled = np.arange(dataset.rows)
    if label is not None:
        present = dataset.read_table([label.column]).column(0).is_valid()
        labelled = labelled[present.to_numpy()]
    rows = arrow.array(labelled[:: max(1, len(labelled) // SAMPLE_ROWS)])
    numbers: dict[str, npt.NDArray[np.float64]] = {}
    categories: dict[str, Sequence[str | None]] = {}
    for column in columns:
        if column.is_constant or (column.is_unique and column.kind == "string"):
            continue
        if column.kind in NUMBERS:
            numbers[column.name] = _numbers(dataset.read_table([column.name]).column(0).take(rows))
        elif column.kind in CATEGORIES:
            values = dataset.read_table([column.name]).column(0).take(rows).to_pylist()
            categories[column.name] = [None if one is None else _text(one) for one in values]
    return associate(numbers, categories, len(rows))


def _numbers(column: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401 - of pyarrow
    """Return numbers, or times in ms, as float64 with NaN for missing ones."""
    arrow = load_library("pyarrow")
    if arrow.types.is_timestamp(column.type) or arrow.types.is_date(column.type):
        column = column.cast(arrow.timestamp("ms"), safe=False).cast(arrow.int64())
    return np.asarray(column.cast(arrow.float64(), safe=False).to_numpy(), np.float64)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
