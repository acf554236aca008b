"""Rows by name whose other features the stream computes: decoded and predicted column by column."""

from collections.abc import Sequence

import msgspec
import numpy as np

from modstream.broker.wire.fast_codec import RequestHead, RowDecoder
from modstream.broker.wire.records import Record
from modstream.models.evaluation.served_sets import ServedThreshold
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import build_column
from modstream.models.schema.input_schema import Batch
from modstream.processors.features.reader import FloatColumn
from modstream.processors.predict.outputs import JsonColumns
from modstream.processors.predict.request_formats import RowFormat, format_for
from modstream.processors.predict.stream_features import StreamFeatures, origins_of

ENCODE = msgspec.json.Encoder().encode


FeatureRow = tuple[msgspec.Struct, int]
"""A request's own row, and the number of its row among those with the stream's features."""


class FeatureRowFormat:
    """One row by name with exactly the features that the stream does not compute."""

    def __init__(self, card: ModelCard, needed: tuple[str, ...]) -> None:
        self.needed = needed
        self.names = card.input_schema.names
        self.own = [one for one in card.input_schema.features if one.name not in needed]
        self.decoder = RowDecoder([(one.name, one.kind) for one in self.own])
        self.outputs = RowFormat(card).outputs
        added = [one for one in card.input_schema.features if one.name in needed]
        self.required = [number for number, one in enumerate(added) if not one.missing]
        members = [(f"f{number}", float) for number in range(len(needed))]
        renamed = {f"f{number}": name for number, name in enumerate(needed)}
        self.members = msgspec.defstruct("Members", members, rename=renamed, gc=False)

    def decode(
        self, features: StreamFeatures, heads: Sequence[RequestHead], records: Sequence[Record]
    ) -> "AddedFeatureRows":
        """Decode requests, and add the features that the stream has for them.

        A request that has a feature of the stream itself has no row, nor has one for which a
        required feature has no value: these the engine answers.
        """
        decoded = self.decoder.decode([head.features for head in heads])
        kept = [number for number, row in enumerate(decoded) if row is not None]
        rows = [row for row in decoded if row is not None]
        values = zip(*self.decoder.to_tuples(rows), strict=True)
        columns = dict(zip((one.name for one in self.own), values, strict=False))
        if len(kept) < len(heads):
            heads, records = [heads[at] for at in kept], [records[at] for at in kept]
        added = features.of_columns(self.needed, columns, origins_of(heads, records))
        lacks = np.logical_or.reduce(np.isnan(added[:, self.required]), axis=1).tolist()
        found: list[FeatureRow | None] = [None] * len(decoded)
        for number, (at, row, is_lacking) in enumerate(zip(kept, rows, lacks, strict=True)):
            if not is_lacking:
                found[at] = (row, number)
        return AddedFeatureRows(self, found, added)


class AddedFeatureRows:
    """The format of some requests, with their rows.

    `rows` has the row of each, or None; `added` the stream's features of those that have one,
    (rows, features).
    """

    def __init__(
        self, form: FeatureRowFormat, rows: list[FeatureRow | None], added: FloatColumn
    ) -> None:
        self._form = form
        self._rows = rows
        self._added = added

    def decode(
        self, _heads: Sequence[RequestHead], _tails: Sequence[bytes | None]
    ) -> list[FeatureRow | None]:
        """Return the row of each of the requests; None for one that the engine must answer."""
        return self._rows

    def batch(self, values: Sequence[FeatureRow]) -> Batch:
        """Return a column for each feature, in the order of the schema."""
        form = self._form
        columns = dict(zip(form.needed, self._of(values).T, strict=True))
        rows = form.decoder.to_tuples(row for row, _ in values)
        for feature, column in zip(form.own, zip(*rows, strict=True), strict=True):
            columns[feature.name] = build_column(feature.kind, column)
        return Batch({name: columns[name] for name in form.names}, len(values))

    def features(self, heads: Sequence[RequestHead], values: Sequence[FeatureRow]) -> JsonColumns:
        """Return the features by name: the request's own ones, then those of the stream."""
        form, members = self._form, self._form.members
        added = [ENCODE(members(*row)) for row in self._of(values).tolist()]
        if not form.own:
            return (added,)
        rows = form.decoder.to_json([row for row, _ in values], [head.features for head in heads])
        return [bytes(row)[:-1] for row in rows], b",", [one[1:] for one in added]

    def outputs(self, scores: Outputs, threshold: ServedThreshold | None = None) -> JsonColumns:
        """Return outputs by name."""
        return self._form.outputs(scores, threshold)

    def _of(self, values: Sequence[FeatureRow]) -> FloatColumn:
        """Return the stream's features of some rows, (rows, features)."""
        if len(values) == len(self._added):
            return self._added
        return self._added[[number for _, number in values]]


def feature_format_for(card: ModelCard, needed: tuple[str, ...]) -> FeatureRowFormat | None:
    """Return the format of a version; None if the fast path does not support it."""
    kinds = {one.kind for one in card.input_schema.features if one.name in needed}
    if kinds != {"float"} or format_for(card, "row") is None:
        return None
    return FeatureRowFormat(card, needed)
