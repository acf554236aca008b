"""The parts of a fitted scikit-learn model, and what they record about each of its features.

A `FeatureReader` follows every feature from the model's inputs through pipelines, column
transformers, feature unions and meta-estimators. From the parts that it meets, it reads the values
that matter to the model: means and scales, quantiles and bin edges, split thresholds, categories,
centres, and rows of the training data that the model keeps.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from modstream.models.runtimes.sklearn_structure import TEXT_VECTORIZERS, members
from modstream.models.runtimes.sklearn_values import (
    MAX_VALUES,
    values_by_column,
    zeros_of_linear_functions,
)
from modstream.models.schema.columns import is_nan

MAX_CHILDREN = 100
"""Largest number of members of an ensemble that are read."""


class ScaledColumn(NamedTuple):
    """A column somewhere in a model: `factor * value + offset` is the feature's own value."""

    feature: int
    factor: float = 1.0
    offset: float = 0.0

    def original(self, value: float) -> float:
        """Return the feature's own value."""
        return self.factor * value + self.offset


Columns = Sequence[ScaledColumn | None]
"""The columns that an estimator takes; None where a column is not one feature's."""


@dataclass(slots=True)
class FeatureFacts:
    """What a model records about one feature.

    `numbers` are values on the feature's scale; `zeros` are where a linear function of the feature
    alone is zero, which may be on another scale. `categories` are those that an encoder knows,
    `fills` the strings that an imputer puts in, and `words` the vocabulary of a text. An encoder is
    strict if it raises an error for other categories. `missing_marker` stands for a missing value.
    A feature is unused if a column transformer drops it and nothing else reads it.
    """

    numbers: list[float] = field(default_factory=list)
    zeros: list[float] = field(default_factory=list)
    categories: list[Any] = field(default_factory=list)
    fills: list[Any] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    is_text: bool = False
    is_encoded: bool = False
    is_strict: bool = False
    is_imputed: bool = False
    is_read: bool = False
    is_dropped: bool = False
    missing_marker: Any = math.nan

    @property
    def is_unused(self) -> bool:
        """Whether the model does not depend on the feature."""
        return self.is_dropped and not self.is_read


class FeatureReader:
    """Reads the facts of a model's features."""

    def __init__(self, width: int) -> None:
        self.facts = [FeatureFacts() for _ in range(width)]

    def read(self, model: BaseEstimator) -> list[FeatureFacts]:
        """Return the facts of each feature, in the order of the model's inputs."""
        self._visit(model, [ScaledColumn(at) for at in range(len(self.facts))])
        for fact in self.facts:
            fact.numbers, fact.zeros = _thin(fact.numbers), _thin(fact.zeros)
        return self.facts

    def _visit(self, part: object, columns: Columns) -> Columns | None:
        """Read a part that takes these columns; return its own columns, None if unknown."""
        if isinstance(part, Pipeline):
            return self._visit_pipeline(part, columns)
        if isinstance(part, ColumnTransformer):
            return self._visit_column_transformer(part, columns)
        if isinstance(part, str) and part == "drop":
            for fact in self._facts(columns):
                fact.is_dropped = True
            return []
        for fact in self._facts(columns):
            fact.is_read = True
        if not isinstance(part, BaseEstimator):
            return columns if part in {"passthrough", None} else None
        if isinstance(part, FeatureUnion):
            for _, transformer in part.transformer_list:
                self._visit(transformer, columns)
            return None
        self._read_part(part, columns)
        self._visit_members(part, columns)
        return _columns_after(part, columns)

    def _visit_pipeline(self, pipeline: Pipeline, columns: Columns) -> Columns | None:
        found: Columns | None = columns
        for _, step in pipeline.steps:
            if found is None:
                return None
            found = self._visit(step, found)
        return found

    def _visit_column_transformer(
        self, transformer: ColumnTransformer, columns: Columns
    ) -> Columns | None:
        positions = transformer._transformer_to_input_indices  # noqa: SLF001
        slices = transformer.output_indices_
        width = max((one.stop for one in slices.values()), default=0)
        after: list[ScaledColumn | None] = [None] * width
        for name, part, _ in transformer.transformers_:
            taken = [columns[at] for at in positions.get(name, []) if at < len(columns)]
            found = self._visit(part, taken)
            place = slices.get(name)
            if found is not None and place is not None and len(found) == place.stop - place.start:
                after[place] = found
        return after

    def _visit_members(self, part: BaseEstimator, columns: Columns) -> None:
        subsets = vars(part).get("estimators_features_")
        support = part.get_support() if isinstance(part, SelectorMixin) else None
        for number, member in enumerate(members(part)):
            if number == MAX_CHILDREN:
                return
            taken = columns
            if subsets is not None and number < len(subsets):
                taken = [columns[at] for at in subsets[number]]
            width = getattr(member, "n_features_in_", len(taken))
            if support is not None and width == int(support.sum()) != len(taken):
                taken = [column for column, kept in zip(columns, support, strict=True) if kept]
            if width == len(taken):
                self._visit(member, taken)

    def _read_part(self, part: BaseEstimator, columns: Columns) -> None:
        if isinstance(part, TEXT_VECTORIZERS):
            for fact in self._facts(columns):
                fact.is_text = True
                fact.words.extend(list(getattr(part, "vocabulary_", ()))[:MAX_VALUES])
            return
        self._read_categories(part, columns)
        self._read_imputer(part, columns)
        for values, column in zip(values_by_column(part, len(columns)), columns, strict=True):
            if column is not None:
                self.facts[column.feature].numbers.extend(map(column.original, values))
        zeros = zeros_of_linear_functions(part, len(columns))
        for column, values in zip(columns, () if zeros is None else zeros.T, strict=False):
            if column is not None:
                self.facts[column.feature].zeros.extend(map(column.original, values.tolist()))

    def _read_categories(self, part: BaseEstimator, columns: Columns) -> None:
        for column, values in zip(columns, getattr(part, "categories_", ()), strict=False):
            if column is None or not isinstance(values, np.ndarray):
                continue
            fact = self.facts[column.feature]
            fact.is_encoded = True
            fact.is_strict |= getattr(part, "handle_unknown", None) == "error"
            fact.categories.extend(values.tolist())
            if None in values.tolist() and not any(map(is_nan, values.tolist())):
                fact.missing_marker = None

    def _read_imputer(self, part: BaseEstimator, columns: Columns) -> None:
        if not isinstance(part, SimpleImputer | KNNImputer):
            return
        marker = part.missing_values
        for fact in self._facts(columns):
            fact.is_imputed = True
            if marker is None or "NAType" in type(marker).__name__:
                fact.missing_marker = marker
        statistics = getattr(part, "statistics_", np.empty(0))
        is_text = getattr(part, "_fit_dtype", np.dtype(float)).kind in "OUST"
        for column, value in zip(columns, statistics, strict=False):
            if column is not None and is_text and isinstance(value, str | bool):
                self.facts[column.feature].fills.append(value)

    def _facts(self, columns: Columns) -> Iterator[FeatureFacts]:
        return (self.facts[column.feature] for column in columns if column is not None)


def _columns_after(part: BaseEstimator, columns: Columns) -> Columns | None:
    """Return the columns of a transformer that changes no number, or only by a linear function."""
    if isinstance(part, SelectorMixin):
        kept = part.get_support()
        if len(kept) == len(columns):
            return [column for column, keep in zip(columns, kept, strict=True) if keep]
    if isinstance(part, FunctionTransformer):
        return columns if part.func is None else None
    if isinstance(part, SimpleImputer | KNNImputer):
        is_whole = not part.add_indicator and not np.isnan(_statistics(part)).any()
        return columns if is_whole else None
    scaling = _linear_function(part, len(columns))
    if scaling is None:
        return None
    factors, offsets = scaling
    return [
        column
        and ScaledColumn(
            column.feature, column.factor * factor, column.factor * offset + column.offset
        )
        for column, factor, offset in zip(columns, factors, offsets, strict=True)
    ]


def _statistics(part: BaseEstimator) -> npt.NDArray[np.float64]:
    statistics = getattr(part, "statistics_", np.empty(0))
    return statistics if statistics.dtype.kind == "f" else np.empty(0)


def _linear_function(
    part: BaseEstimator, width: int
) -> tuple[Sequence[float], Sequence[float]] | None:
    """Return factors and offsets that lead from a scaler's outputs back to its inputs."""
    kind = type(part).__name__
    if kind not in {"StandardScaler", "RobustScaler", "MinMaxScaler", "MaxAbsScaler"}:
        return None
    scale = getattr(part, "scale_", None)
    factors = np.ones(width) if scale is None else np.asarray(scale, float)
    if kind == "MinMaxScaler":
        return (1 / factors).tolist(), (-part.min_ / factors).tolist()
    centre = getattr(part, {"StandardScaler": "mean_"}.get(kind, "center_"), None)
    offsets = np.zeros(width) if centre is None else np.asarray(centre, float)
    return factors.tolist(), offsets.tolist()


def _thin(values: Iterable[float]) -> list[float]:
    """Return the finite ones of the values, each once and at most `MAX_VALUES`."""
    known = sorted({value for value in values if math.isfinite(value)})
    if len(known) <= MAX_VALUES:
        return known
    chosen = np.random.default_rng(0).choice(len(known), MAX_VALUES, replace=False)
    return [known[at] for at in sorted({0, len(known) - 1, *chosen.tolist()})]
