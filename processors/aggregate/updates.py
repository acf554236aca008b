"""The records of a stream's topic of features, written by its aggregators and read by its workers.

The topic is compacted. Its keys are JSON arrays:

- `[owner, aggregation, group, slice]`: a partial aggregate of an owner, as MessagePack;
- `[owner, aggregation]`: the offset of the owner from which on the aggregation counts its records;
- `[owner]`: the next offset of the owner, up to which its records are counted.

An owner is a partition of a source, as `topic:partition`, or `backfill:topic:partition` for what
was added later of the records before an aggregation's start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from modstream.broker.wire.records import ProducerRecord, Record
from modstream.processors.errors import UnreadableFeatureState
from modstream.processors.features.aggregation import Aggregation
from modstream.processors.features.codec import (
    decode_key,
    decode_partial,
    encode_key,
    encode_partial,
)
from modstream.processors.features.events import PartialKey
from modstream.processors.features.partials import Partial

BACKFILL = "backfill:"
START_LENGTH, PROGRESS_LENGTH = 2, 1
TEXTS = msgspec.json.Decoder(list[str])
NUMBERS = msgspec.json.Decoder(int)


class PartialUpdate(NamedTuple):
    """The new value of an owner's partial aggregate; None if it has expired."""

    owner: str
    key: PartialKey
    partial: Partial | None


class StartUpdate(NamedTuple):
    """The offset of an owner from which on an aggregation counts its records."""

    owner: str
    aggregation: str
    offset: int


class ProgressUpdate(NamedTuple):
    """The next offset of an owner: all records before it are counted."""

    owner: str
    offset: int


class UnknownUpdate(NamedTuple):
    """A record of an aggregation that is not defined here; `is_removed` if it is a tombstone."""

    owner: str
    key: bytes
    is_removed: bool


Update = PartialUpdate | StartUpdate | ProgressUpdate


@dataclass(slots=True)
class Progress:
    """How far owners have counted: their next offsets, and where each aggregation has started."""

    next_offsets: dict[str, int] = field(default_factory=dict)
    starts: dict[tuple[str, str], int] = field(default_factory=dict)

    def forget(self, owner: str) -> None:
        """Forget all of an owner."""
        self.next_offsets.pop(owner, None)
        for key in [one for one in self.starts if one[0] == owner]:
            del self.starts[key]

    def note(self, update: StartUpdate | ProgressUpdate) -> None:
        """Take what an update says."""
        if isinstance(update, ProgressUpdate):
            self.next_offsets[update.owner] = update.offset
        else:
            self.starts[update.owner, update.aggregation] = update.offset


class UpdateCodec:
    """Encodes updates of a stream's features, and decodes those of aggregations that it knows."""

    def __init__(self, topic: str, aggregations: Mapping[str, Aggregation]) -> None:
        self._topic = topic
        self._kinds = {name: one.kind for name, one in aggregations.items()}

    def encode(self, update: Update) -> ProducerRecord:
        """Return the record of an update."""
        if isinstance(update, PartialUpdate):
            key, value = encode_key(update.owner, update.key), None
            if update.partial is not None:
                value = encode_partial(self._kinds[update.key.aggregation], update.partial)
            return ProducerRecord(self._topic, key, value)
        names = update[:-1]
        return ProducerRecord(self._topic, msgspec.json.encode(names), b"%d" % update.offset)

    def remove(self, update: UnknownUpdate) -> ProducerRecord:
        """Return the tombstone of a record whose aggregation is not defined any more."""
        return ProducerRecord(self._topic, update.key, None)

    def decode(self, record: Record) -> Update | UnknownUpdate | None:
        """Return the update of a record; None for the tombstone of an offset.

        Raises:
            UnreadableFeatureState: the record is not an update.
        """
        try:
            owner, key = decode_key(record.key or b"")
        except UnreadableFeatureState:
            return self._decode_offset(record)
        kind = self._kinds.get(key.aggregation)
        if kind is None:
            return UnknownUpdate(owner, record.key or b"", record.value is None)
        partial = None if record.value is None else decode_partial(kind, record.value)
        return PartialUpdate(owner, key, partial)

    def _decode_offset(self, record: Record) -> Update | UnknownUpdate | None:
        try:
            names = TEXTS.decode(record.key or b"")
            offset = None if record.value is None else NUMBERS.decode(record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UnreadableFeatureState(str(error)) from None
        length = len(names)
        if length == START_LENGTH and names[1] not in self._kinds:
            return UnknownUpdate(names[0], record.key or b"", offset is None)
        if offset is None:
            return None
        if length == START_LENGTH:
            return StartUpdate(names[0], names[1], offset)
        if length == PROGRESS_LENGTH:
            return ProgressUpdate(names[0], offset)
        raise UnreadableFeatureState(f"key: {length} parts")
