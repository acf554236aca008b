"""The maximum sizes of records that the topics of a process take."""

from collections.abc import Iterable, Mapping

from modstream.broker.wire.record_size import record_size
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import MAX_RECORD_BYTES

MIN_LIMIT = 4096
"""Smallest limit that is learned, in bytes."""


class RecordLimits:
    """The maximum record size of each topic in bytes; `MAX_RECORD_BYTES` where it is unknown.

    A handler measures its records by these limits, in one thread, and the delivery learns them, in
    another one.
    """

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        self._limits: dict[str, int] = {}
        self.update(limits or {})

    @property
    def smallest(self) -> int:
        """The smallest limit of all topics."""
        return min(self._limits.values(), default=MAX_RECORD_BYTES)

    def of(self, topic: str) -> int:
        """Return the limit of a topic."""
        return self._limits.get(topic, MAX_RECORD_BYTES)

    def update(self, limits: Mapping[str, int]) -> None:
        """Set the limits of some topics; none exceeds what our clients send."""
        bounded = {topic: min(limit, MAX_RECORD_BYTES) for topic, limit in limits.items()}
        self._limits = {**self._limits, **bounded}

    def lower(self, refused: Iterable[ProducerRecord]) -> None:
        """Halve the size of the largest record of each topic, after a broker refused one of them.

        This is for topics whose limit cannot be read.
        """
        largest: dict[str, int] = {}
        for record in refused:
            largest[record.topic] = max(largest.get(record.topic, 0), record_size(record))
        self.update({topic: max(MIN_LIMIT, size // 2) for topic, size in largest.items()})
