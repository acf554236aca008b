"""The usual forms of a request: how many of one form are read as columns of one model's schema."""

from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from itertools import starmap
from struct import Struct
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from modstream.broker.wire.fast_codec import (
    Head,
    Matrices,
    RawMatrices,
    Rows,
    json_document,
)
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import build
from modstream.models.schema.input_schema import Batch, Column, InputSchema
from modstream.processors.predict.outputs import Parts, row_parts, tensor_parts

Kind = Literal["row", "matrix", "raw"]
"""One row by name; one row as a [1, k] tensor, in JSON or as raw bytes behind it."""


class Form(Protocol):
    """One form of requests to one model version. Cells are what was read of one request."""

    def read(self, heads: Sequence[Head], tails: Sequence[bytes | None]) -> list[Any]:
        """The cells of each request; None for one that is not of this form after all."""

    def batch(self, cells: Sequence[Any]) -> Batch:
        """The rows of many requests under each other."""

    def features(self, heads: Sequence[Head], cells: Sequence[Any]) -> Parts:
        """The features of each request as JSON, as nearly as they came."""

    def outputs(self, scores: Outputs) -> Parts:
        """The outputs for each request, as JSON."""


class RowForm:
    """One row by name, with all the model's features and no others."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._schema = card.input_schema
        self._rows = Rows([(feature.name, feature.kind) for feature in self._schema.features])

    def read(
        self, heads: Sequence[Head], _tails: Sequence[bytes | None]
    ) -> list[msgspec.Struct | None]:
        """Rows of the schema's own type."""
        return self._rows.read([head.features for head in heads])

    def batch(self, cells: Sequence[msgspec.Struct]) -> Batch:
        """A matrix if all features are floats, else columns of their kinds."""
        rows = self._rows.tuples(cells)
        if are_floats(self._schema):
            return as_matrix(self._schema, rows)
        columns = {
            feature.name: build(feature.kind, column)
            for feature, column in zip(self._schema.features, zip(*rows, strict=True), strict=True)
        }
        return Batch(columns, len(cells))

    def features(self, heads: Sequence[Head], cells: Sequence[msgspec.Struct]) -> Parts:
        """By name, in the bytes that came, where they can be taken over."""
        return (self._rows.written(cells, [head.features for head in heads]),)

    def outputs(self, scores: Outputs) -> Parts:
        """Values by name."""
        return row_parts(self._card, scores)


class MatrixForm:
    """One row as a [1, k] tensor; the model's features are all floats."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._schema = card.input_schema
        self._matrices = Matrices(len(self._schema.features))
        self._names = b'{"names":%b,' % json_document(self._schema.names)

    def read(self, heads: Sequence[Head], _tails: Sequence[bytes | None]) -> list[Any]:
        """Lists of k numbers."""
        return self._matrices.read([head.inputs for head in heads])

    def batch(self, cells: Sequence[Any]) -> Batch:
        """One matrix."""
        return as_matrix(self._schema, cells)

    def features(self, heads: Sequence[Head], cells: Sequence[Any]) -> Parts:
        """Names and data, which are the bytes that came, where they can be taken over."""
        data = self._matrices.data([head.inputs for head in heads])
        return self._names + b'"data":', data or list(map(json_document, cells)), b"}"

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
        found = self._raw.read([head.inputs for head in heads], [tail or b"" for tail in tails])
        good = [tail for tail in found if tail is not None]
        if np.isfinite(self._numbers(b"".join(good))).all():
            return found
        return [tail if tail and np.isfinite(self._numbers(tail)).all() else None for tail in found]

    def batch(self, cells: Sequence[bytes]) -> Batch:
        """One matrix."""
        matrix = self._numbers(b"".join(cells)).astype(np.float64)
        return Batch.of_matrix(self._schema.names, matrix)

    def features(self, _heads: Sequence[Head], cells: Sequence[bytes]) -> Parts:
        """Names and the raw numbers in base64."""
        return self._names + b'"fp32":"', [b2a_base64(cell, newline=False) for cell in cells], b'"}'

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


def as_matrix(schema: InputSchema, rows: Iterable[Sequence[float]]) -> Batch:
    """A batch of rows of floats."""
    # Packed by rows: for wide ones it takes numpy half as long again to go through all numbers.
    width = len(schema.features)
    packed = b"".join(starmap(Struct(f"={width}d").pack, rows))
    return Batch.of_matrix(schema.names, np.frombuffer(packed, np.float64).reshape(-1, width))
