"""Request formats: how many requests of one format are decoded as columns of a model's schema."""

from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from itertools import starmap
from struct import Struct
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from modstream.broker.wire.fast_codec import (
    MatrixDecoder,
    RawMatrixDecoder,
    RequestHead,
    RowDecoder,
    json_document,
)
from modstream.models.evaluation.served_sets import ServedThreshold
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import FeatureColumn, build_column
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.processors.predict.conformal_columns import add_columns
from modstream.processors.predict.outputs import JsonColumns, row_columns, tensor_columns

FormatName = Literal["row", "matrix", "raw"]
"""One row by name; one row as a [1, k] tensor, in JSON or as raw bytes behind the JSON."""


class RequestFormat(Protocol):
    """One format of requests to one model version. A value is what was decoded of one request."""

    def decode(self, heads: Sequence[RequestHead], tails: Sequence[bytes | None]) -> list[Any]:
        """Return the value of each request; None for one that does not have this format."""

    def batch(self, values: Sequence[Any]) -> Batch:
        """Return one batch with a row for each request."""

    def features(self, heads: Sequence[RequestHead], values: Sequence[Any]) -> JsonColumns:
        """Return the features of each request as JSON, in the received bytes where possible."""

    def outputs(self, scores: Outputs, threshold: ServedThreshold | None = None) -> JsonColumns:
        """Return the outputs for each request as JSON, by name with conformal sets if given."""


class RowFormat:
    """One row by name, with all of the model's features and no others."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._schema = card.input_schema
        self._labels = VersionLabels.of(card)
        self._decoder = RowDecoder([(one.name, one.kind) for one in self._schema.features])

    def decode(
        self, heads: Sequence[RequestHead], _tails: Sequence[bytes | None]
    ) -> list[msgspec.Struct | None]:
        """Return rows of the schema's own struct type."""
        return self._decoder.decode([head.features for head in heads])

    def batch(self, values: Sequence[msgspec.Struct]) -> Batch:
        """Return a matrix if all features are floats, else a column for each feature."""
        rows = self._decoder.to_tuples(values)
        if are_floats(self._schema):
            return to_matrix(self._schema, rows)
        columns = {
            feature.name: build_column(feature.kind, column)
            for feature, column in zip(self._schema.features, zip(*rows, strict=True), strict=True)
        }
        return Batch(columns, len(values))

    def features(
        self, heads: Sequence[RequestHead], values: Sequence[msgspec.Struct]
    ) -> JsonColumns:
        """Return the features by name."""
        return (self._decoder.to_json(values, [head.features for head in heads]),)

    def outputs(self, scores: Outputs, threshold: ServedThreshold | None = None) -> JsonColumns:
        """Return outputs by name."""
        columns = row_columns(self._card, scores)
        if threshold is None:
            return columns
        return add_columns(columns, self._labels, scores, threshold)


class MatrixFormat:
    """One row as a [1, k] tensor; all of the model's features are floats."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._schema = card.input_schema
        self._decoder = MatrixDecoder(len(self._schema.features))
        self._names = b'{"names":%b,' % json_document(self._schema.names)

    def decode(self, heads: Sequence[RequestHead], _tails: Sequence[bytes | None]) -> list[Any]:
        """Return lists of k numbers."""
        return self._decoder.decode([head.inputs for head in heads])

    def batch(self, values: Sequence[Any]) -> Batch:
        """Return a matrix of shape (n, k)."""
        return to_matrix(self._schema, values)

    def features(self, heads: Sequence[RequestHead], values: Sequence[Any]) -> JsonColumns:
        """Return the features' names and numbers."""
        data = self._decoder.data_json([head.inputs for head in heads])
        return self._names + b'"data":', data or list(map(json_document, values)), b"}"

    def outputs(self, scores: Outputs, _threshold: ServedThreshold | None = None) -> JsonColumns:
        """Return outputs as tensors, which have no conformal sets."""
        return tensor_columns(self._card, scores)


class RawMatrixFormat(MatrixFormat):
    """One row as a [1, k] tensor whose numbers are raw little-endian float32."""

    def __init__(self, card: ModelCard) -> None:
        super().__init__(card)
        self._raw_decoder = RawMatrixDecoder(len(self._schema.features))

    def decode(self, heads: Sequence[RequestHead], tails: Sequence[bytes | None]) -> list[Any]:
        """Return the bytes of k finite numbers."""
        inputs = [head.inputs for head in heads]
        found = self._raw_decoder.decode(inputs, [tail or b"" for tail in tails])
        raw = [tail for tail in found if tail is not None]
        if np.isfinite(self._numbers(b"".join(raw))).all():
            return found
        return [tail if tail and np.isfinite(self._numbers(tail)).all() else None for tail in found]

    def batch(self, values: Sequence[bytes]) -> Batch:
        """Return a matrix of shape (n, k)."""
        matrix = self._numbers(b"".join(values)).astype(np.float64)
        return Batch.of_matrix(self._schema.names, matrix)

    def features(self, _heads: Sequence[RequestHead], values: Sequence[bytes]) -> JsonColumns:
        """Return the features' names, and the raw numbers in base64."""
        encoded = [b2a_base64(value, newline=False) for value in values]
        return self._names + b'"fp32":"', encoded, b'"}'

    def _numbers(self, raw: bytes) -> FeatureColumn:
        return np.frombuffer(raw, "<f4").reshape(-1, len(self._schema.features))


def format_for(card: ModelCard, name: FormatName) -> RequestFormat | None:
    """Return a model version's format; None if the fast path does not support it."""
    if card.task == "forecast" or card.output_form != "array":
        return None
    if not all(map(is_plain, card.input_schema.names)):
        return None
    if name == "row":
        return RowFormat(card)
    if not are_floats(card.input_schema):
        return None
    return MatrixFormat(card) if name == "matrix" else RawMatrixFormat(card)


def is_plain(name: str) -> bool:
    """Return whether JSON writes a name without escapes; msgspec has no fields of other names."""
    return json_document(name)[1:-1] == name.encode()


def are_floats(schema: InputSchema) -> bool:
    """Return whether all features are floats."""
    return all(feature.kind == "float" for feature in schema.features)


def to_matrix(schema: InputSchema, rows: Iterable[Sequence[float]]) -> Batch:
    """Return a batch of rows of floats, as a matrix."""
    # Packed by struct: for wide rows numpy takes half as long again to convert lists of floats.
    width = len(schema.features)
    packed = b"".join(starmap(Struct(f"={width}d").pack, rows))
    return Batch.of_matrix(schema.names, np.frombuffer(packed, np.float64).reshape(-1, width))
