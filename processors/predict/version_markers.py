"""Version markers: from which offset on a version answers the requests of a partition.

A marker is written with the first prediction of a version, in the same transaction, so it is in its
topic exactly if that prediction is in its own. The state in memory only avoids repeated markers. It
follows a reader that is rewound, and is cleared for a partition that was revoked in between.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from modstream.broker.wire.codec import encode
from modstream.broker.wire.model_contracts import VersionMarker
from modstream.broker.wire.records import Offsets, ProducerRecord, Record, TopicPartition
from modstream.models.schema.card import ModelCard
from modstream.processors.predict.responses import source_of

MAX_REFS = 1000
"""References that are remembered. A forgotten one is marked again, which is just as true."""


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """The version that a reference means now, and its first offset in each partition."""

    version: int
    sha256: str
    first_offsets: dict[int, int] = field(default_factory=dict)


class VersionMarkers:
    """The active versions in the partitions that a worker holds.

    `assignment_epoch` returns how often a partition was assigned to this worker.
    """

    def __init__(self, topic: str, assignment_epoch: Callable[[TopicPartition], int]) -> None:
        self._topic = topic
        self._assignment_epoch = assignment_epoch
        self._epochs: dict[TopicPartition, int] = {}
        self._active: OrderedDict[tuple[str, int | str], ActiveVersion] = OrderedDict()

    def is_unchanged(self, card: ModelCard, ref: int | str, first_offsets: Offsets) -> bool:
        """Return whether a batch with these first offsets needs no marker of this version.

        That holds for nearly all batches. For the others, `new_markers` finds the markers.
        """
        self._forget_revoked()
        known = self._activate(card, ref).first_offsets
        return all(known.get(one.partition, first) < first for one, first in first_offsets.items())

    def new_markers(
        self, card: ModelCard, ref: int | str, firsts: Mapping[int, tuple[Record, bytes]]
    ) -> Iterator[tuple[int, ProducerRecord]]:
        """Return the markers that a version's predictions need, mostly none.

        Args:
            card: the version's card.
            ref: the version or alias that the requests ask for.
            firsts: the first answered record of the batch in each partition, with the key of its
                response, by its position in the batch.

        Returns:
            Each marker with the position of the request whose prediction it follows.
        """
        if not firsts:
            return
        self._forget_revoked()
        known = self._activate(card, ref).first_offsets
        for position, (record, key) in firsts.items():
            # At or before the known offset the batch is handled again: that marker was aborted.
            if record.offset <= known.get(record.partition, record.offset):
                marker = self._marker(card, ref, record, key)
                known[record.partition] = record.offset
                partition = record.topic_partition
                self._epochs[partition] = self._assignment_epoch(partition)
                yield position, marker

    def forget(self, card: ModelCard, ref: int | str, partition: int) -> None:
        """Forget where a version begins in a partition, so that its next prediction is marked."""
        active = self._active.get((card.name, ref))
        if active is not None:
            active.first_offsets.pop(partition, None)

    def _activate(self, card: ModelCard, ref: int | str) -> ActiveVersion:
        pair = card.name, ref
        active = self._active.get(pair)
        if active is None or (active.version, active.sha256) != (card.version, card.sha256):
            active = self._active[pair] = ActiveVersion(card.version, card.sha256)
        self._active.move_to_end(pair)
        if len(self._active) > MAX_REFS:
            self._active.popitem(last=False)
        return active

    def _forget_revoked(self) -> None:
        revoked = [
            one for one, epoch in self._epochs.items() if self._assignment_epoch(one) != epoch
        ]
        for partition in revoked:
            del self._epochs[partition]
            for active in self._active.values():
                active.first_offsets.pop(partition.partition, None)

    def _marker(
        self, card: ModelCard, ref: int | str, record: Record, key: bytes
    ) -> ProducerRecord:
        marker = VersionMarker(
            model=card.name,
            ref=ref,
            version=card.version,
            sha256=card.sha256,
            parent=card.parent,
            source=source_of(record),
        )
        return ProducerRecord(self._topic, key, encode(marker))
