"""What a model wants to be told: rows or tensors in, columns of valid values out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from operator import itemgetter
from types import MappingProxyType
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from modstream.models.errors import InputError, MissingFeature, WrongShape, WrongType
from modstream.models.schema.columns import Column, Kind, Scalar, build, clean_column, read

__all__ = ["Batch", "Column", "Feature", "InputSchema", "Kind", "Scalar", "Sorted", "Tensor"]

_INTEGERS = frozenset(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_NUMBERS = _INTEGERS | {"FP16", "FP32", "FP64"}
_DATATYPES: Mapping[Kind, frozenset[str]] = MappingProxyType(
    {
        "float": _NUMBERS,
        "int": _INTEGERS,
        "bool": frozenset({"BOOL"}),
        "string": frozenset({"BYTES"}),
    }
)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named input of an Open Inference Protocol V2 request.

    `data` holds the values row-major, flat or nested by row; strings may be bytes in UTF-8.
    See https://github.com/open-inference/open-inference-protocol.
    """

    name: str
    shape: tuple[int, ...]
    datatype: str
    data: list[object] | Column


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Valid rows by column: every column has shape (size,), in the order of the schema.

    Floats are float64, ints int64, bools bool, strings an object column of `str`. Where all are
    floats that lie side by side already, `matrix` is what the columns are views of, (size, k).
    """

    columns: dict[str, Column]
    size: int
    matrix: Column | None = None

    @classmethod
    def of_matrix(cls, names: Sequence[str], matrix: Column) -> Self:
        """Take a float64 matrix, (size, k), of which each column is one feature."""
        return cls(dict(zip(names, matrix.T, strict=True)), len(matrix), matrix)

    @staticmethod
    def concat(batches: Sequence["Batch"]) -> "Batch":
        """Put batches of one schema, at least one, under each other."""
        return Batch(
            {
                name: np.concatenate([batch.columns[name] for batch in batches])
                for name in batches[0].columns
            },
            sum(batch.size for batch in batches),
        )

    def take(self, indices: Sequence[int]) -> "Batch":
        """Pick rows by position, in the order asked for."""
        picked = np.asarray(indices, dtype=np.intp)
        return Batch({name: column[picked] for name, column in self.columns.items()}, len(picked))

    def rows(self) -> list[dict[str, Scalar]]:
        """Turn the columns back into rows of Python scalars."""
        lists = [column.tolist() for column in self.columns.values()]
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*lists, strict=True)]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Rows sorted into the good ones, with their positions, and what is wrong with the others."""

    batch: Batch
    kept: list[int]
    errors: dict[int, InputError]


class Feature(BaseModel):
    """One named input of a model; `low` and `high` bound what may be learned, not predicted on."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    kind: Kind
    low: float | None = None
    high: float | None = None

    def read(self, row: Mapping[str, object]) -> Scalar | InputError:
        """Read this feature of a raw row; what is wrong with it is returned."""
        if self.name not in row:
            return MissingFeature(self.name)
        return read(self.name, self.kind, row[self.name])

    def clean(self, rows: Sequence[Mapping[str, object]]) -> Column | None:
        """Make this feature's column of raw rows, or None if any of them needs a closer look."""
        try:
            values = list(map(itemgetter(self.name), rows))
        except KeyError:
            return None
        return clean_column(self.kind, values)

    def column(self, values: Sequence[object]) -> Column:
        """Make this feature's column of raw values; the first bad one raises its InputError."""
        column = clean_column(self.kind, values)
        return build(self.kind, list(self._valid(values))) if column is None else column

    def _valid(self, values: Sequence[object]) -> Iterator[Scalar]:
        for value in values:
            scalar = read(self.name, self.kind, value)
            if isinstance(scalar, InputError):
                raise scalar
            yield scalar


class InputSchema(BaseModel):
    """The features of a model, in the order in which it was fitted."""

    model_config = ConfigDict(frozen=True)

    features: tuple[Feature, ...] = Field(min_length=1)

    @field_validator("features")
    @classmethod
    def _names_are_unique(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        if len({feature.name for feature in features}) < len(features):
            raise ValueError("two features have the same name")
        return features

    @classmethod
    def floats(cls, names: Sequence[str]) -> Self:
        """Make the schema of a model whose features are all numbers."""
        return cls(features=tuple(Feature(name=name, kind="float") for name in names))

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in order."""
        return tuple(feature.name for feature in self.features)

    def batch(self, rows: Sequence[Mapping[str, object]]) -> Sorted:
        """Sort raw rows into a batch and errors; a bad row never raises nor spoils its neighbours.

        Unknown features are ignored. A row with several faults reports the first in schema order.
        """
        columns: dict[str, Column] = {}
        suspects: list[Feature] = []
        for feature in self.features:
            column = feature.clean(rows)
            if column is None:
                suspects.append(feature)
            else:
                columns[feature.name] = column
        if not suspects:
            return Sorted(Batch(columns, len(rows)), list(range(len(rows))), {})
        return self._sift(rows, columns, suspects)

    def tensors(self, inputs: Sequence[Tensor]) -> Batch:
        """Read a V2 request: a tensor of n values per feature, or one [n, k] tensor of numbers.

        Raises:
            InputError: anything in the request is wrong; there is no good part to keep.
        """
        if len(inputs) == 1 and self._is_matrix(inputs[0]):
            (tensor,) = inputs
            values = _flat(tensor)
            width = len(self.features)
            data = {name: values[i::width] for i, name in enumerate(self.names)}
            sources = dict.fromkeys(self.names, tensor)
        else:
            sources = self._by_feature(inputs)
            data = {name: _flat(tensor) for name, tensor in sources.items()}
        columns = {}
        for feature in self.features:
            datatype = sources[feature.name].datatype
            if datatype not in _DATATYPES[feature.kind]:
                raise WrongType(feature.name, feature.kind, datatype)
            columns[feature.name] = feature.column(data[feature.name])
        return Batch(columns, len(data[self.names[0]]))

    def _sift(
        self,
        rows: Sequence[Mapping[str, object]],
        columns: Mapping[str, Column],
        suspects: Sequence[Feature],
    ) -> Sorted:
        """Look at the suspect columns value by value and keep the rows that are good in all."""
        values = {feature.name: [feature.read(row) for row in rows] for feature in suspects}
        errors: dict[int, InputError] = {}
        for column in values.values():
            for position, value in enumerate(column):
                if isinstance(value, InputError):
                    errors.setdefault(position, value)
        kept = [position for position in range(len(rows)) if position not in errors]
        good = {}
        for feature in self.features:
            name = feature.name
            if name in columns:
                good[name] = columns[name][kept]
            else:
                scalars = (values[name][position] for position in kept)
                good[name] = build(
                    feature.kind, [s for s in scalars if not isinstance(s, InputError)]
                )
        return Sorted(Batch(good, len(kept)), kept, dict(sorted(errors.items())))

    def _is_matrix(self, tensor: Tensor) -> bool:
        """Tell whether the only tensor of a request carries all features side by side."""
        all_numeric = all(feature.kind in ("float", "int") for feature in self.features)
        return all_numeric and len(tensor.shape) == 2 and tensor.shape[1] == len(self.features)

    def _by_feature(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        """Find the tensor of every feature; all must be of shape [n] or [n, 1] with one n."""
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


def _flat(tensor: Tensor) -> list[object]:
    """List a tensor's values row-major, with byte strings decoded, as many as its shape says."""
    data = tensor.data
    values: list[object] = data.ravel().tolist() if isinstance(data, np.ndarray) else list(data)
    rows = [value for value in values if isinstance(value, list)]
    if rows and len(rows) == len(values) and {len(row) for row in rows} == {tensor.shape[-1]}:
        values = [value for row in rows for value in row]
    if len(values) != prod(tensor.shape):
        raise WrongShape(tensor.name, f"{prod(tensor.shape)} values", len(values))
    if tensor.datatype != "BYTES":
        return values
    return [_text(tensor.name, value) if isinstance(value, bytes) else value for value in values]


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise WrongType(name, "string", "bytes that are not UTF-8") from error
