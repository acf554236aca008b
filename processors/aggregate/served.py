"""The features of a stream in a worker: updates in, the values for requests out."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import isnan
from typing import Any, Protocol

import numpy as np

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
from modstream.processors.features.events import PartialKey
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.partials import Partial
from modstream.processors.features.reader import FeatureReader, SharedColumns
from modstream.processors.features.row_origin import RowOrigins
from modstream.processors.features.state import FeatureState, ReadableState, StateSize

MAX_CARDS = 256
"""The number of versions whose features are known at once."""


class ServedState(ReadableState, Protocol):
    """The state of a worker's features, in memory or on disk."""

    @property
    def size(self) -> StateSize:
        """The size of what is in memory."""

    def replace(self, owner: str, key: PartialKey, partial: Partial | None) -> bool:
        """Set an owner's value, or remove it with None; return whether it is in memory."""


class ServedFeatures:
    """The values of features as the updates before `position` make them.

    One thread, that of the handler, calls all methods; so the values do not change within a batch.
    """

    def __init__(
        self, features: FeatureSet, codec: UpdateCodec, state: ServedState | None = None
    ) -> None:
        self.features = features
        self.state: ServedState = FeatureState(features) if state is None else state
        self.progress = Progress()
        self.unreadable = 0
        """The number of records that are not updates."""
        self.offset = 0
        self._codec = codec
        self._reader = FeatureReader(self.state)
        self._fields = sorted(features.request_fields - {KEY})
        self._by_key = KEY in features.request_fields
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

    def of_columns(
        self,
        names: tuple[str, ...],
        columns: Mapping[str, Sequence[object]],
        origins: RowOrigins,
    ) -> list[SharedColumns]:
        """Return the features for n rows, in the order of the names; NaN if there is no value."""
        absent = [None] * len(origins.times)
        groups: dict[str, Sequence[object]] = {
            name: columns.get(name, absent) for name in self._fields
        }
        if self._by_key:
            groups[KEY] = list(map(key_text, origins.keys()))
        return self._reader.shared(names, groups, np.array(origins.times, dtype=np.int64))

    def of_rows(
        self, names: tuple[str, ...], rows: Sequence[Mapping[str, Any]], origins: RowOrigins
    ) -> list[dict[str, float | None]]:
        """Return the features for each row by name; None if there is no value."""
        if not rows:
            return []
        columns = {name: [row.get(name) for row in rows] for name in self._fields}
        found = self.of_columns(names, columns, origins)
        values = chain.from_iterable(one.columns().tolist() for one in found)
        lists = [[None if isnan(one) else one for one in column] for column in values]
        return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]
