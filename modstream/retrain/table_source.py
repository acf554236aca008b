"""The rows of a training from a file or from a data set of the catalogue."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import DataSet
from modstream.errors import LibraryMissing, UnusableSource
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.input_schema import Batch
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.errors import UnusableTable
from modstream.models.training.table import TableRoles, read_table
from modstream.models.training.train import TestRows

PARQUET, CSV = frozenset({".parquet", ".pq"}), frozenset({".csv", ".tsv"})


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Which table is trained on, and what its columns are for.

    `data` is a file in Parquet or CSV, or a data set of the catalogue, which knows its label, its
    time, and the sealed test set that it was split from. `test` names another sealed test set.
    """

    data: str
    label: str | None = None
    time: str | None = None
    ignored: frozenset[str] = frozenset()
    task: Task | None = None
    test: str | None = None


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Labelled rows, a name of where they are from, and a sealed test set that may be opened."""

    dataset: LabelledDataset
    source: str
    open_test: TestRows | None = None


def read_rows(
    options: TableOptions, catalogue: Catalogue, model: str, champion: ModelCard | None
) -> TrainingRows:
    """Return the rows of a file or a data set. A sealed test set is not opened yet.

    Raises:
        UnusableTable: its columns cannot be used as label and features.
        UnusableSource: the file cannot be read.
        UnknownName: there is no such file or data set.
        DatasetError: the data set is sealed, has changed, or cannot be read.
        LibraryMissing: Parquet cannot be read without pyarrow.
    """
    path = Path(options.data)
    if path.suffix.lower() in PARQUET | CSV or path.is_file():
        roles = _roles(options, None, None)
        return TrainingRows(read_table(_read_file(path), roles, model, champion), str(path))
    found = catalogue.open(options.data)
    roles = _roles(options, found.label, found.time_column)
    dataset = read_table(found.read_frame(), roles, model, champion)
    sealed = options.test or _sealed_sibling(found)
    if sealed is None:
        return TrainingRows(dataset, str(found))

    def open_test() -> LabelledDataset:
        reason = f"acceptance of a challenger of {model}, trained on {found}"
        tested = catalogue.open_sealed(sealed, reason).read_frame()
        return _as_fitted(tested, roles, dataset)

    return TrainingRows(dataset, f"{found}, tested on {sealed}", open_test)


def _roles(options: TableOptions, label: str | None, time: str | None) -> TableRoles:
    label = options.label or label
    if label is None:
        raise UnusableTable("name the column that is to be predicted with --label")
    return TableRoles(label, options.time or time, options.ignored, options.task)


def _as_fitted(frame: pd.DataFrame, roles: TableRoles, fitted: LabelledDataset) -> LabelledDataset:
    """Return test rows with the schema that a model was fitted with."""
    card = fitted.card
    absent = [name for name in card.input_schema.names if name not in frame.columns]
    if absent:
        raise UnusableTable(f"the test set has no column {absent[0]!r}")
    extra = set(map(str, frame.columns)) - {*card.input_schema.names, roles.label, roles.time}
    found = read_table(frame, replace(roles, ignored=frozenset(extra)), card.name, card)
    columns = {}
    for one in card.input_schema.features:
        column = columns[one.name] = found.batch.columns[one.name]
        is_other = column.dtype != fitted.batch.columns[one.name].dtype
        if is_other or (frame[one.name].isna().any() and not one.missing):
            raise UnusableTable(f"the column {one.name!r} has other values in the test set")
    return replace(
        fitted, batch=Batch(columns, found.batch.size), labels=found.labels, served=found.served
    )


def _sealed_sibling(found: DataSet) -> str | None:
    """Return the sealed test set that a training set was split from; None if there is none."""
    sibling = found.facts.provenance.details.get("sibling")
    return str(sibling) if sibling else None


def _read_file(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() in PARQUET:
            return pd.read_parquet(path)
        return pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",")
    except ImportError:
        raise LibraryMissing("Parquet", "parquet") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise UnusableSource(str(path), reason) from None
