"""The features of a stream in a worker: updates in, the values for requests out."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import isnan
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw
from msgspec.structs import astuple

from modstream.broker.wire.fast_codec import decode_each
from modstream.broker.wire.records import Record
from modstream.models.schema.card import ModelCard
from modstream.processors.aggregate.events import key_text
from modstream.processors.aggregate.updates import (
    PartialUpdate,
    Progress,
    UnknownUpdate,
    UpdateCodec,
)
from modstream.processors.errors import UnreadableFeatureState
from modstream.processors.features.definition import KEY
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.reader import FeatureReader, FloatColumn
from modstream.processors.features.row_origin import RowOrigin
from modstream.processors.features.state import FeatureState

ENCODE = msgspec.json.Encoder().encode
MAX_CARDS = 256
"""The number of versions whose features are known at once."""


class ServedFeatures:
    """The values of features as the updates before `position` make them.

    One thread, that of the handler, calls all methods; so the values do not change within a batch.
    """

    def __init__(self, features: FeatureSet, codec: UpdateCodec) -> None:
        self.features = features
        self.state = FeatureState(features)
        self.progress = Progress()
        self.unreadable = 0
        """The number of records that are not updates."""
        self.offset = 0
        self._codec = codec
        self._reader = FeatureReader(self.state)
        self._fields = sorted(features.request_fields - {KEY})
        self._by_key = KEY in features.request_fields
        self._decode = msgspec.json.Decoder(group_struct(self._fields)).decode
        self._no_fields = (None,) * len(self._fields)
        self._needed: dict[tuple[str, int], tuple[ModelCard, tuple[str, ...]]] = {}

    @property
    def position(self) -> bytes:
        """The next offset of the topic of features, in decimal digits."""
        return b"%d" % self.offset

    def apply(self, records: Iterable[Record]) -> None:
        """Apply updates in the order of their offsets; a record that is not one is counted."""
        for record in records:
            self.offset = record.offset + 1
            try:
                update = self._codec.decode(record)
            except UnreadableFeatureState:
                self.unreadable += 1
                continue
            if isinstance(update, PartialUpdate):
                self.state.replace(update.owner, update.key, update.partial)
            elif update is not None and not isinstance(update, UnknownUpdate):
                self.progress.note(update)

    def needed_by(self, card: ModelCard) -> tuple[str, ...]:
        """Return the inputs of a version that are features of the stream, in the schema's order."""
        key = card.name, card.version
        known = self._needed.get(key)
        if known is None or known[0] is not card:
            if len(self._needed) >= MAX_CARDS:
                del self._needed[next(iter(self._needed))]
            declared = set(self.features.names)
            names = tuple(name for name in card.input_schema.names if name in declared)
            known = self._needed[key] = card, names
        return known[1]

    def as_json(
        self, names: tuple[str, ...], rows: Sequence[Raw], asked: Sequence[RowOrigin]
    ) -> list[bytes]:
        """Return the features for each row as a JSON object; null where there is no value."""
        if not rows:
            return []
        found = [
            self._no_fields if one is None else astuple(one)
            for one in decode_each(self._decode, rows)
        ]
        columns = dict(zip(self._fields, zip(*found, strict=True), strict=False))
        values = self._values(columns, asked)
        made = map(members_struct(names), *(values[name].tolist() for name in names))
        return list(map(ENCODE, made))

    def of_rows(
        self,
        names: tuple[str, ...],
        rows: Sequence[Mapping[str, Any]],
        asked: Sequence[RowOrigin],
    ) -> list[dict[str, float | None]]:
        """Return the features for each row by name; None if there is no value."""
        if not rows:
            return []
        columns = {name: [row.get(name) for row in rows] for name in self._fields}
        values = self._values(columns, asked)
        lists = [[None if isnan(one) else one for one in values[name].tolist()] for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]

    def _values(
        self, columns: Mapping[str, Sequence[object]], asked: Sequence[RowOrigin]
    ) -> dict[str, FloatColumn]:
        keys = {KEY: [key_text(one.key) for one in asked]} if self._by_key else {}
        times = np.array([one.time for one in asked], dtype=np.int64)
        return self._reader.values({**columns, **keys}, times)


def group_struct(fields: Sequence[str]) -> type[msgspec.Struct]:
    """Return a type that decodes the given fields of a row, None where one is missing."""
    members = [(f"f{number}", Any, None) for number in range(len(fields))]
    names = {f"f{number}": name for number, name in enumerate(fields)}
    return msgspec.defstruct("GroupFields", members, rename=names, frozen=True, gc=False)


@lru_cache(MAX_CARDS)
def members_struct(names: tuple[str, ...]) -> type[msgspec.Struct]:
    """Return a type that is encoded as a JSON object with the given names."""
    members = [(f"f{number}", float) for number in range(len(names))]
    renamed = {f"f{number}": name for number, name in enumerate(names)}
    return msgspec.defstruct("Members", members, rename=renamed, frozen=True, gc=False)
