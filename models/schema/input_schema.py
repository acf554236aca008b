"""The input schema of a model: converts rows or tensors into columns of valid values."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, field_validator

from modstream.models.errors import InputError, MissingFeature, WrongShape, WrongType
from modstream.models.schema.columns import FeatureColumn, build_column, is_nan
from modstream.models.schema.feature import Feature
from modstream.models.schema.ranges import RANGES
from modstream.models.schema.tensors import ACCEPTED_DATATYPES, InputTensor, flatten_tensor

__all__ = ["Batch", "Feature", "InputSchema", "ParsedRows"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Valid rows by column: every column has shape (size,), in the order of the schema.

    Floats are float64, ints int64, bools bool, and strings an object column of `str`. A missing
    value is NaN in a float column and None in a string column. `matrix` has shape (size, k) and is
    set only if the columns are views of one float64 matrix.
    """

    columns: dict[str, FeatureColumn]
    size: int
    matrix: FeatureColumn | None = None

    @classmethod
    def of_matrix(cls, names: Sequence[str], matrix: FeatureColumn) -> Self:
        """Return the batch of a float64 matrix, shape (size, k), with one feature per column."""
        return cls(dict(zip(names, matrix.T, strict=True)), len(matrix), matrix)

    @staticmethod
    def concat(batches: Sequence["Batch"]) -> "Batch":
        """Return the rows of one or more batches of the same schema as one batch."""
        return Batch(
            {
                name: np.concatenate([batch.columns[name] for batch in batches])
                for name in batches[0].columns
            },
            sum(batch.size for batch in batches),
        )

    def take(self, indices: Sequence[int]) -> "Batch":
        """Return the rows at these positions, in the order of `indices`."""
        picked = np.asarray(indices, dtype=np.intp)
        return Batch({name: column[picked] for name, column in self.columns.items()}, len(picked))

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries of Python scalars."""
        lists = [column.tolist() for column in self.columns.values()]
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*lists, strict=True)]


@dataclass(frozen=True, slots=True)
class ParsedRows:
    """The valid rows of a list of raw rows, with their positions, and the errors by position."""

    batch: Batch
    valid_positions: list[int]
    errors: dict[int, InputError]


class InputSchema(BaseModel):
    """The features of a model, in the order in which the model was fitted.

    Only a model that takes tensors has no features.
    """

    model_config = ConfigDict(frozen=True)

    features: tuple[Feature, ...]

    @field_validator("features")
    @classmethod
    def _names_are_unique(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        if len({feature.name for feature in features}) < len(features):
            raise ValueError("two features have the same name")
        return features

    @classmethod
    def of_floats(cls, names: Sequence[str]) -> Self:
        """Return the schema of a model whose features are all floats."""
        return cls(features=tuple(Feature(name=name, kind="float") for name in names))

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def sensitive_names(self) -> frozenset[str]:
        """The names of the features whose values must not be logged."""
        return frozenset(feature.name for feature in self.features if feature.sensitive)

    @cached_property
    def has_missing(self) -> bool:
        """Whether a feature may be missing."""
        return any(feature.missing for feature in self.features)

    def raw_rows(self, batch: Batch) -> list[dict[str, Any]]:
        """Return the rows of a batch as in a request, with None where a value is missing."""
        rows = batch.rows()
        if self.has_missing:
            missing = [feature.name for feature in self.features if feature.missing]
            for row in rows:
                row.update((name, None) for name in missing if is_nan(row[name]))
        return rows

    def is_covered_by(self, names: Collection[str]) -> bool:
        """Return whether a row with features of these names can be meant for this model.

        It has all features that may not be missing, and at least one feature.
        """
        required = all(one.missing or one.name in names for one in self.features)
        return required and any(name in names for name in self.names)

    def rows_in_range(self, batch: Batch) -> NDArray[np.bool_] | None:
        """Return whether each row of a batch fits the features' types, (n,); None if all do."""
        if not self._limited:
            return None
        matrix, limit = batch.matrix, self._common_limit
        if matrix is not None and limit is not None and np.abs(matrix).max(initial=0.0) <= limit:
            return None
        fits = np.ones(batch.size, np.bool_)
        for feature in self._limited:
            low, high = RANGES[feature.dtype or "float32"]
            column = batch.columns[feature.name]
            fits &= ~((column < low) | (column > high))
        return None if fits.all() else fits

    @cached_property
    def _limited(self) -> tuple[Feature, ...]:
        return tuple(feature for feature in self.features if feature.dtype is not None)

    @cached_property
    def _common_limit(self) -> float | None:
        """The largest absolute value of all features, if they are all floats of one dtype."""
        dtypes = {feature.dtype for feature in self.features}
        (dtype, *others) = dtypes or {None}
        is_float = not others and dtype is not None and dtype.startswith("float")
        return RANGES[dtype].high if is_float and dtype is not None else None

    def parse_rows(self, rows: Sequence[Mapping[str, object]]) -> ParsedRows:
        """Parse raw rows; an invalid row becomes an error and does not affect the other rows.

        Unknown features are ignored. A row with several faults has the error of the first
        feature, in schema order, that is invalid.
        """
        columns: dict[str, FeatureColumn] = {}
        slow_features: list[Feature] = []
        for feature in self.features:
            column = feature.clean_column(rows)
            if column is None:
                slow_features.append(feature)
            else:
                columns[feature.name] = column
        if not slow_features:
            return ParsedRows(Batch(columns, len(rows)), list(range(len(rows))), {})
        return self._parse_slow(rows, columns, slow_features)

    def parse_tensors(self, inputs: Sequence[InputTensor]) -> Batch:
        """Parse a V2 request: one tensor of n values per feature, or one tensor of all k features.

        The latter has the shape [n, k], or [k] for one row.

        Raises:
            InputError: any part of the request is invalid; there is no partial result.
        """
        if len(inputs) == 1 and self._is_matrix(inputs[0]):
            (tensor,) = inputs
            values = flatten_tensor(tensor)
            width = len(self.features)
            data = {name: values[i::width] for i, name in enumerate(self.names)}
            sources = dict.fromkeys(self.names, tensor)
        else:
            sources = self._tensors_by_feature(inputs)
            data = {name: flatten_tensor(tensor) for name, tensor in sources.items()}
        columns = {}
        for feature in self.features:
            datatype = sources[feature.name].datatype
            if datatype not in ACCEPTED_DATATYPES[feature.kind]:
                raise WrongType(feature.name, feature.kind, datatype)
            columns[feature.name] = feature.build_column(data[feature.name])
        size = len(data[self.names[0]])
        if not size:
            tensor = sources[self.names[0]]
            raise WrongShape(tensor.name, "at least one row", [*tensor.shape])
        return Batch(columns, size)

    def _parse_slow(
        self,
        rows: Sequence[Mapping[str, object]],
        columns: Mapping[str, FeatureColumn],
        slow_features: Sequence[Feature],
    ) -> ParsedRows:
        """Parse the slow features value by value, and keep the rows that are valid in all."""
        values = {feature.name: [feature.parse(row) for row in rows] for feature in slow_features}
        errors: dict[int, InputError] = {}
        for column in values.values():
            for position, value in enumerate(column):
                if isinstance(value, InputError):
                    errors.setdefault(position, value)
        valid = [position for position in range(len(rows)) if position not in errors]
        kept = {}
        for feature in self.features:
            name = feature.name
            if name in columns:
                kept[name] = columns[name][valid]
            else:
                scalars = (values[name][position] for position in valid)
                kept[name] = build_column(
                    feature.kind, [s for s in scalars if not isinstance(s, InputError)]
                )
        return ParsedRows(Batch(kept, len(valid)), valid, dict(sorted(errors.items())))

    def _is_matrix(self, tensor: InputTensor) -> bool:
        """Return whether the only tensor of a request has one column per feature."""
        kinds = {feature.kind for feature in self.features}
        is_uniform = kinds <= {"float", "int"} or len(kinds) == 1
        width = len(self.features)
        fits = tensor.shape[1:] == (width,) or (width == 1 and len(tensor.shape) == 1)
        is_one_row = tensor.shape == (width,) and tensor.name not in self.names
        return is_uniform and (fits or is_one_row)

    def _tensors_by_feature(self, inputs: Sequence[InputTensor]) -> dict[str, InputTensor]:
        """Return the tensor of every feature; all must have shape [n] or [n, 1] with one n."""
        named = {tensor.name: tensor for tensor in inputs}
        missing = next((name for name in self.names if name not in named), None)
        if missing is not None:
            if len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].name not in self.names:
                (matrix,) = inputs
                raise WrongShape(matrix.name, f"shape [n, {len(self.names)}]", [*matrix.shape])
            raise MissingFeature(missing)
        found = {name: named[name] for name in self.names}
        size = found[self.names[0]].shape[:1]
        for name, tensor in found.items():
            if tensor.shape not in (size, (*size, 1)) or not size:
                raise WrongShape(name, f"shape {[*size]} or {[*size, 1]}", [*tensor.shape])
        return found
