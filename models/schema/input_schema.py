"""The input schema of a model: converts rows or tensors into columns of valid values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from modstream.models.errors import InputError, MissingFeature, WrongShape, WrongType
from modstream.models.schema.columns import (
    FeatureColumn,
    FeatureKind,
    Scalar,
    build_column,
    clean_column,
    parse_value,
)
from modstream.models.schema.tensors import ACCEPTED_DATATYPES, InputTensor, flatten_tensor


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Valid rows by column: every column has shape (size,), in the order of the schema.

    Floats are float64, ints int64, bools bool, and strings an object column of `str`. `matrix`
    has shape (size, k) and is set only if the columns are views of one float64 matrix.
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

    def rows(self) -> list[dict[str, Scalar]]:
        """Return the rows as dictionaries of Python scalars."""
        lists = [column.tolist() for column in self.columns.values()]
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*lists, strict=True)]


@dataclass(frozen=True, slots=True)
class ParsedRows:
    """The valid rows of a list of raw rows, with their positions, and the errors by position."""

    batch: Batch
    valid_positions: list[int]
    errors: dict[int, InputError]


class Feature(BaseModel):
    """One named input of a model; `low` and `high` bound what is learned from, not predictions."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    kind: FeatureKind
    low: float | None = None
    high: float | None = None

    def parse(self, row: Mapping[str, object]) -> Scalar | InputError:
        """Return this feature's value in a raw row, or the error that rejects it."""
        if self.name not in row:
            return MissingFeature(self.name)
        return parse_value(self.name, self.kind, row[self.name])

    def clean_column(self, rows: Sequence[Mapping[str, object]]) -> FeatureColumn | None:
        """Return this feature's column of raw rows; None if they must be parsed one by one."""
        try:
            values = list(map(itemgetter(self.name), rows))
        except KeyError:
            return None
        return clean_column(self.kind, values)

    def build_column(self, values: Sequence[object]) -> FeatureColumn:
        """Return this feature's column of raw values.

        Raises:
            InputError: the error of the first invalid value.
        """
        column = clean_column(self.kind, values)
        if column is not None:
            return column
        return build_column(self.kind, list(self._valid_values(values)))

    def _valid_values(self, values: Sequence[object]) -> Iterator[Scalar]:
        for value in values:
            scalar = parse_value(self.name, self.kind, value)
            if isinstance(scalar, InputError):
                raise scalar
            yield scalar


class InputSchema(BaseModel):
    """The features of a model, in the order in which the model was fitted."""

    model_config = ConfigDict(frozen=True)

    features: tuple[Feature, ...] = Field(min_length=1)

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
        """Parse a V2 request: one tensor of n values per feature, or one numeric [n, k] tensor.

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
        return Batch(columns, len(data[self.names[0]]))

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
        all_numeric = all(feature.kind in ("float", "int") for feature in self.features)
        return all_numeric and len(tensor.shape) == 2 and tensor.shape[1] == len(self.features)

    def _tensors_by_feature(self, inputs: Sequence[InputTensor]) -> dict[str, InputTensor]:
        """Return the tensor of every feature; all must have shape [n] or [n, 1] with one n."""
        named = {tensor.name: tensor for tensor in inputs}
        missing = next((name for name in self.names if name not in named), None)
        if missing is not None:
            raise MissingFeature(missing)
        found = {name: named[name] for name in self.names}
        size = found[self.names[0]].shape[:1]
        for name, tensor in found.items():
            if tensor.shape not in (size, (*size, 1)) or not size:
                raise WrongShape(name, f"shape {[*size]} or {[*size, 1]}", [*tensor.shape])
        return found
