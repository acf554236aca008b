"""Labelled rows of a table: which column is the label, what the features are, in which order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.columns import FeatureColumn, FeatureKind, Scalar
from modstream.models.schema.input_schema import Batch, Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.errors import UnusableTable

MAX_CLASSES = 30
"""Largest number of different labels that are classes."""
MAX_SHOWN_NAMES = 12


@dataclass(frozen=True, slots=True)
class TableRoles:
    """What the columns of a table are for.

    `time` orders the rows, oldest first; without it they are in order. Columns in `ignored` are no
    features. Without `task`, it is read from the labels.
    """

    label: str
    time: str | None = None
    ignored: frozenset[str] = frozenset()
    task: Task | None = None


def read_table(
    frame: pd.DataFrame, roles: TableRoles, name: str, champion: ModelCard | None = None
) -> LabelledDataset:
    """Return the labelled rows of a table, oldest first.

    Rows without a label are left out. A feature that the champion has, too, is one of the
    champion's kind. The card of the result describes the rows.

    Raises:
        UnusableTable: a column is missing, or its values are neither numbers nor texts; there are
            no labels, or they do not fit the task.
    """
    _check_columns(frame, roles)
    labelled = frame[frame[roles.label].notna()]
    if not len(labelled):
        raise UnusableTable(f"no row has a value in the label's column {roles.label!r}")
    if roles.time is not None:
        labelled = labelled.sort_values(roles.time, kind="stable")
    labels = _plain_labels(labelled[roles.label])
    task = roles.task or (champion.task if champion else _infer_task(labelled[roles.label], labels))
    classes = _classes(labels, task, champion)
    schema, batch = _features(labelled, roles, champion)
    spec = VersionSpec(name=name, runtime="table", task=task, classes=classes, input_schema=schema)
    card = spec.make_card(champion.version if champion else 1, Artifact(b""))
    return LabelledDataset(
        card, batch, labels, [None] * len(labels), Counter(), has_champion=champion is not None
    )


def _check_columns(frame: pd.DataFrame, roles: TableRoles) -> None:
    for name in [roles.label, *([roles.time] if roles.time else []), *sorted(roles.ignored)]:
        if name not in frame.columns:
            known = ", ".join(map(str, frame.columns[:MAX_SHOWN_NAMES]))
            raise UnusableTable(f"there is no column {name!r}; its columns are {known}")


def _plain_labels(column: pd.Series) -> list[Scalar]:
    if types.is_bool_dtype(column):
        return [bool(one) for one in column]
    if types.is_integer_dtype(column):
        return [int(one) for one in column]
    if types.is_float_dtype(column):
        return [float(one) for one in column]
    found = column.tolist()
    if all(isinstance(one, str | bool) for one in found):
        return found
    kinds = ", ".join(sorted({type(one).__name__ for one in found}))
    raise UnusableTable(f"the label's column {column.name!r} has values of the types {kinds}")


def _infer_task(column: pd.Series, labels: Sequence[Scalar]) -> Task:
    distinct = len(set(labels))
    if distinct == 2:
        return "binary"
    return "regression" if types.is_float_dtype(column) or distinct > MAX_CLASSES else "multiclass"


def _classes(
    labels: Sequence[Scalar], task: Task, champion: ModelCard | None
) -> tuple[Scalar, ...]:
    if task == "regression":
        if isinstance(labels[0], str):
            raise UnusableTable("the labels of a regression are numbers, and these are texts")
        return ()
    if champion is not None and champion.task == task:
        known = ClassLabels.of(task, champion.classes)
        unknown = next((one for one in labels if known.index_of(one) is None), None)
        if unknown is not None:
            raise UnusableTable(f"the label {known.reject(unknown)} of the champion")
        return known.classes
    found = tuple(sorted(set(labels)))
    if len(found) > MAX_CLASSES:
        raise UnusableTable(
            f"there are {len(found):,} different labels, at most {MAX_CLASSES} are classes; a"
            " regression takes numbers: --task regression"
        )
    if task == "binary" and len(found) != 2:
        raise UnusableTable(f"a binary task has two classes, and the labels are {found}")
    return found


def _features(
    frame: pd.DataFrame, roles: TableRoles, champion: ModelCard | None
) -> tuple[InputSchema, Batch]:
    own = {roles.label, roles.time} | roles.ignored
    names = [str(name) for name in frame.columns if name not in own]
    if not names:
        raise UnusableTable("it has no column besides the label, the time and the ignored ones")
    known: Mapping[str, Feature] = (
        {one.name: one for one in champion.input_schema.features} if champion else {}
    )
    found = [_feature(frame[name], name, known.get(name)) for name in names]
    batch = Batch({feature.name: column for feature, column in found}, len(frame))
    return InputSchema(features=tuple(feature for feature, _ in found)), batch


def _feature(column: pd.Series, name: str, known: Feature | None) -> tuple[Feature, FeatureColumn]:
    missing = bool(column.isna().any())
    kind = _kind(column, name, is_missing=missing)
    if known is not None and {kind, known.kind} == {"int", "float"}:
        kind = "float"
    if known is not None and known.kind == kind:
        feature = known.model_copy(update={"missing": known.missing or missing})
    else:
        feature = Feature(name=name, kind=kind, missing=missing)
    return feature, _values(column, kind)


def _kind(column: pd.Series, name: str, *, is_missing: bool) -> FeatureKind:
    if types.is_bool_dtype(column) and not is_missing:
        return "bool"
    if types.is_integer_dtype(column) and not is_missing:
        return "int"
    if types.is_numeric_dtype(column):
        return "float"
    present = column.dropna()
    if len(present) and all(isinstance(one, str) for one in present):
        return "string"
    raise UnusableTable(
        f"the column {name!r} has neither numbers nor texts, but {column.dtype}: leave it out with"
        f" --ignore {name}, or name it with --time if it orders the rows"
    )


def _values(column: pd.Series, kind: FeatureKind) -> FeatureColumn:
    if kind == "string":
        values: list[Any] = [one if isinstance(one, str) else None for one in column.tolist()]
        return np.array(values, dtype=object)
    dtype = {"float": np.float64, "int": np.int64, "bool": np.bool_}[kind]
    if kind == "float":
        return column.to_numpy(dtype=dtype, na_value=np.nan)
    return column.to_numpy(dtype=dtype)
