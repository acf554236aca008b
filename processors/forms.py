"""The usual forms of a request: how many of one form are read as columns of one model's schema."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Literal, Protocol

import numpy as np
from msgspec import Raw, Struct

from broker.fast import (
    Head,
    Matrices,
    RawMatrices,
    Rows,
    joined,
    json_document,
    json_numbers,
)
from models.card import ModelCard
from models.columns import build
from models.runtime import Outputs
from models.schema import Batch, Column, InputSchema
from processors.outputs import Parts, row_parts, tensor_parts

Kind = Literal["row", "matrix", "raw"]
"""One row by name; one row as a [1, k] tensor, in JSON or as raw bytes behind it."""


class Form(Protocol):
    """One form of requests to one model version. Cells are what was read of one request."""

    def read(self, heads: Sequence[Head], tails: Sequence[bytes | None]) -> list[Any]:
        """The cells of each request; None for one that is not of this form after all."""

    def batch(self, cells: Sequence[Any]) -> Batch:
        """The rows of many requests under each other."""

    def features(
        self, heads: Sequence[Head], cells: Sequence[Any], batch: Batch
    ) -> Sequence[bytes | Raw]:
        """The features of each request by name, as JSON."""

    def outputs(self, scores: Outputs) -> Parts:
        """The outputs for each request, as JSON."""


class RowForm:
    """One row by name, with all the model's features and no others."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._schema = card.input_schema
        self._rows = Rows([(feature.name, feature.kind) for feature in self._schema.features])

    def read(self, heads: Sequence[Head], _tails: Sequence[bytes | None]) -> list[Struct | None]:
        """Rows of the schema's own type."""
        return self._rows.read(head.features for head in heads)

    def batch(self, cells: Sequence[Struct]) -> Batch:
        """A matrix if all features are floats, else columns of their kinds."""
        rows = self._rows.tuples(cells)
        if are_floats(self._schema):
            return as_matrix(self._schema, chain.from_iterable(rows), len(cells))
        columns = {
            feature.name: build(feature.kind, column)
            for feature, column in zip(self._schema.features, zip(*rows, strict=True), strict=True)
        }
        return Batch(columns, len(cells))

    def features(
        self, heads: Sequence[Head], cells: Sequence[Struct], _batch: Batch
    ) -> Sequence[bytes | Raw]:
        """The bytes that came, where they can be taken over."""
        return self._rows.written(cells, [head.features for head in heads])

    def outputs(self, scores: Outputs) -> Parts:
        """Values by name."""
        return row_parts(self._card, scores)


class MatrixForm:
    """One row as a [1, k] tensor; the model's features are all floats."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._schema = card.input_schema
        self._matrices = Matrices(len(self._schema.features))
        names = (json_document(name) for name in self._schema.names)
        self._openings = [b"%b%b:" % (b"," if at else b"{", name) for at, name in enumerate(names)]

    def read(self, heads: Sequence[Head], _tails: Sequence[bytes | None]) -> list[Any]:
        """Lists of k numbers."""
        return self._matrices.read(head.inputs for head in heads)

    def batch(self, cells: Sequence[Any]) -> Batch:
        """One matrix."""
        return as_matrix(self._schema, chain.from_iterable(cells), len(cells))

    def features(
        self, _heads: Sequence[Head], _cells: Sequence[Any], batch: Batch
    ) -> Sequence[bytes]:
        """By the schema's names."""
        columns = (json_numbers(column.tolist()) for column in batch.columns.values())
        pairs: Iterable[Parts] = zip(self._openings, columns, strict=True)
        return joined([*chain.from_iterable(pairs), b"}"])

    def outputs(self, scores: Outputs) -> Parts:
        """Tensors."""
        return tensor_parts(self._card, scores)


class RawForm(MatrixForm):
    """The same with the numbers as raw little-endian float32."""

    def __init__(self, card: ModelCard) -> None:
        super().__init__(card)
        self._raw = RawMatrices(len(self._schema.features))

    def read(self, heads: Sequence[Head], tails: Sequence[bytes | None]) -> list[Any]:
        """Bytes of k finite numbers."""
        found = self._raw.read((head.inputs for head in heads), (tail or b"" for tail in tails))
        good = [tail for tail in found if tail is not None]
        if np.isfinite(self._numbers(b"".join(good))).all():
            return found
        return [tail if tail and np.isfinite(self._numbers(tail)).all() else None for tail in found]

    def batch(self, cells: Sequence[bytes]) -> Batch:
        """One matrix."""
        matrix = self._numbers(b"".join(cells)).astype(np.float64)
        return Batch.of_matrix(self._schema.names, matrix)

    def _numbers(self, raw: bytes) -> Column:
        return np.frombuffer(raw, "<f4").reshape(-1, len(self._schema.features))


def form_of(card: ModelCard, kind: Kind) -> Form | None:
    """How a model version reads requests of a kind; None if codec.py must read them."""
    if card.task == "forecast":
        return None
    if kind == "row":
        return RowForm(card)
    if not are_floats(card.input_schema):
        return None
    return MatrixForm(card) if kind == "matrix" else RawForm(card)


def are_floats(schema: InputSchema) -> bool:
    """Whether all features are floats."""
    return all(feature.kind == "float" for feature in schema.features)


def as_matrix(schema: InputSchema, values: Iterable[float], size: int) -> Batch:
    """A batch of `size` rows of floats, their values row by row."""
    width = len(schema.features)
    matrix = np.fromiter(values, np.float64, size * width).reshape(size, width)
    return Batch.of_matrix(schema.names, matrix)
