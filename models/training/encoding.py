"""Strings and missing numbers of a data set, turned into the numbers that all models are fitted on.

The same encoder is before all models of a search, so that rows are encoded once for all of them,
and an ensemble of them is one graph.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from modstream.models.schema.card import Task
from modstream.models.schema.columns import FeatureColumn
from modstream.models.schema.input_schema import Batch, InputSchema

MAX_ONE_HOT = 4
"""Largest number of values of a string that become a column each. Of a string with more values,
the mean label of each value is the column, smoothed by its rows."""
ENCODER_FOLDS = 5
"""Folds in which the mean labels of the rows are computed from the other rows."""

RawInputs = pd.DataFrame | FeatureColumn
"""A DataFrame, or a matrix (n, k)."""


def raw_inputs(batch: Batch, schema: InputSchema) -> RawInputs:
    """Return a batch to fit on: a DataFrame if the schema has strings, else a matrix (n, k)."""
    if any(feature.kind == "string" for feature in schema.features):
        # As objects, strings keep their missing values as None, which the encoder knows.
        return pd.DataFrame(
            {
                name: pd.Series(column, dtype=object) if column.dtype == object else column
                for name, column in batch.columns.items()
            }
        )
    return np.column_stack(list(batch.columns.values()))


def take_rows(inputs: RawInputs, rows: NDArray[np.intp]) -> RawInputs:
    """Return some rows."""
    return inputs.iloc[rows] if isinstance(inputs, pd.DataFrame) else inputs[rows]


def make_encoder(schema: InputSchema, inputs: RawInputs, task: Task) -> BaseEstimator | None:
    """Return the unfitted encoder of a schema's strings and missing numbers; None if it has none.

    Strings with more than `MAX_ONE_HOT` values are encoded by the mean label, those of several
    classes one-hot: that encoding has no ONNX form for them. Missing numbers become the median.
    Numbers are not scaled: trees compare them in float32, and a scaler could move rows to the other
    side of a split in the ONNX export.
    """
    strings = [feature.name for feature in schema.features if feature.kind == "string"]
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    is_missing = any(one.missing for one in schema.features if one.kind != "string")
    if not strings:
        return imputer if is_missing else None
    numbers = [name for name in schema.names if name not in strings]
    many = [name for name in strings if task != "multiclass" and _has_many(inputs, name)]
    few = [name for name in strings if name not in many]
    columns: list[tuple[str, Any, list[str]]] = [
        ("strings", OneHotEncoder(handle_unknown="ignore", sparse_output=False), few),
        ("means", TargetEncoder(cv=KFold(ENCODER_FOLDS)), many),
        ("numbers", imputer if is_missing else "passthrough", numbers),
    ]
    return ColumnTransformer([column for column in columns if column[2]])


def fit_encoder(
    encoder: BaseEstimator | None, inputs: RawInputs, targets: NDArray[Any]
) -> NDArray[np.float64]:
    """Fit an encoder, and return the rows to fit models on, (n, k)."""
    if encoder is None:
        return np.asarray(inputs, dtype=np.float64)
    return np.asarray(encoder.fit_transform(inputs, targets), dtype=np.float64)


def encode(encoder: BaseEstimator | None, inputs: RawInputs) -> NDArray[np.float64]:
    """Return rows as numbers, (n, k)."""
    found = inputs if encoder is None else encoder.transform(inputs)
    return np.asarray(found, dtype=np.float64)


def _has_many(inputs: RawInputs, name: str) -> bool:
    if not isinstance(inputs, pd.DataFrame):
        return False
    return inputs[name].nunique(dropna=False) > MAX_ONE_HOT
