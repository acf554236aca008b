"""Rows by name whose other features the stream computes: decoded and predicted column by column."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import msgspec
import numpy as np

from modstream.broker.wire.fast_codec import RequestHead, RowDecoder
from modstream.broker.wire.records import Record
from modstream.models.evaluation.served_sets import ServedThreshold
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import FeatureColumn, build_column
from modstream.models.schema.input_schema import Batch
from modstream.processors.features.reader import SharedColumns
from modstream.processors.predict.outputs import JsonColumns
from modstream.processors.predict.request_formats import RowFormat, format_for
from modstream.processors.predict.stream_features import StreamFeatures, origins_of

ENCODE = msgspec.json.Encoder().encode

FeatureRow = tuple[msgspec.Struct, int]
"""A request's own row, and its number among the rows to which the stream's features were added."""
OwnColumns = Mapping[str, Sequence[Any]]


class FeatureRowFormat:
    """One row by name with exactly the features that the stream does not compute."""

    def __init__(self, card: ModelCard, needed: tuple[str, ...]) -> None:
        self.needed = needed
        self.names = card.input_schema.names
        self.own = [one for one in card.input_schema.features if one.name not in needed]
        self.decoder = RowDecoder([(one.name, one.kind) for one in self.own])
        self.outputs = RowFormat(card).outputs
        added = [one for one in card.input_schema.features if one.name in needed]
        self._required = frozenset(one.name for one in added if not one.missing)
        self._members: dict[tuple[str, ...], type[msgspec.Struct]] = {}

    def decode(
        self, features: StreamFeatures, heads: Sequence[RequestHead], records: Sequence[Record]
    ) -> "AddedFeatureRows":
        """Decode requests, and add the features that the stream has for them.

        A request that has a feature of the stream itself has no row, nor has one for which a
        required feature has no value: these the engine answers.
        """
        decoded = self.decoder.decode([head.features for head in heads])
        rows = [row for row in decoded if row is not None]
        if len(rows) < len(decoded):
            kept = [number for number, row in enumerate(decoded) if row is not None]
            heads, records = [heads[at] for at in kept], [records[at] for at in kept]
        values = list(zip(*self.decoder.to_tuples(rows), strict=True))
        columns = dict(zip((one.name for one in self.own), values, strict=False))
        added = features.of_columns(self.needed, columns, origins_of(heads, records))
        found: list[FeatureRow | None] = list(zip(rows, count(), strict=False))
        for number in self._lacking(added):
            found[number] = None
        if len(rows) < len(decoded):
            rest = iter(found)
            found = [None if row is None else next(rest) for row in decoded]
        return AddedFeatureRows(self, found, columns, added)

    def members_json(self, shared: SharedColumns) -> list[bytes]:
        """Return each distinct row of some features as the members of a JSON object, `,"name":1`.

        A missing value is null.
        """
        members = self._members.get(shared.names)
        if members is None:
            fields = [(f"f{number}", float) for number in range(len(shared.names))]
            renamed = dict(zip((name for name, _ in fields), shared.names, strict=True))
            members = msgspec.defstruct("Members", fields, rename=renamed, gc=False)
            self._members[shared.names] = members
        return [b",%b" % ENCODE(members(*row))[1:-1] for row in shared.table.T.tolist()]

    def _lacking(self, added: Sequence[SharedColumns]) -> set[int]:
        """Return the numbers of the rows for which a required feature has no value."""
        found: set[int] = set()
        for one in added:
            required = [at for at, name in enumerate(one.names) if name in self._required]
            lacks = np.logical_or.reduce(np.isnan(one.table[required]), axis=0)
            if lacks.any():
                found.update(np.flatnonzero(lacks[one.codes]).tolist())
        return found


class AddedFeatureRows:
    """The format of some requests, with their rows.

    `rows` has the row of each, or None; `columns` and `added` the own features and those of the
    stream by column, for the numbers of rows.
    """

    def __init__(
        self,
        form: FeatureRowFormat,
        rows: list[FeatureRow | None],
        columns: OwnColumns,
        added: Sequence[SharedColumns],
    ) -> None:
        self._form = form
        self._rows = rows
        self._columns = columns
        self._added = added

    def decode(
        self, _heads: Sequence[RequestHead], _tails: Sequence[bytes | None]
    ) -> list[FeatureRow | None]:
        """Return the row of each of the requests; None for one that the engine must answer."""
        return self._rows

    def batch(self, values: Sequence[FeatureRow]) -> Batch:
        """Return a column for each feature, in the order of the schema."""
        own, added = self._of(values)
        columns: dict[str, FeatureColumn] = {
            one.name: build_column(one.kind, own[one.name]) for one in self._form.own
        }
        for shared in added:
            columns.update(zip(shared.names, shared.columns(), strict=True))
        return Batch({name: columns[name] for name in self._form.names}, len(values))

    def features(self, heads: Sequence[RequestHead], values: Sequence[FeatureRow]) -> JsonColumns:
        """Return the features by name: the request's own ones, then those of the stream."""
        form = self._form
        parts: list[list[bytes]] = []
        for shared in self._of(values)[1]:
            texts = form.members_json(shared)
            parts.append(list(map(texts.__getitem__, shared.codes.tolist())))
        if not form.own:
            first, *others = parts
            return b"{", [text[1:] for text in first], *others, b"}"
        rows = form.decoder.to_json([row for row, _ in values], [head.features for head in heads])
        return [bytes(row)[:-1] for row in rows], *parts, b"}"

    def outputs(self, scores: Outputs, threshold: ServedThreshold | None = None) -> JsonColumns:
        """Return outputs by name."""
        return self._form.outputs(scores, threshold)

    def _of(self, values: Sequence[FeatureRow]) -> tuple[OwnColumns, Sequence[SharedColumns]]:
        """Return the own features and those of the stream of some rows."""
        if len(values) == len(self._added[0].codes):
            return self._columns, self._added
        numbers = [number for _, number in values]
        own = {name: [one[at] for at in numbers] for name, one in self._columns.items()}
        return own, [one._replace(codes=one.codes[numbers]) for one in self._added]


def feature_format_for(card: ModelCard, needed: tuple[str, ...]) -> FeatureRowFormat | None:
    """Return the format of a version; None if the fast path does not support it."""
    kinds = {one.kind for one in card.input_schema.features if one.name in needed}
    if kinds != {"float"} or format_for(card, "row") is None:
        return None
    return FeatureRowFormat(card, needed)
