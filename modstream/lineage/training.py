"""The run of a training: it begins, reads feedback, and completes, fails or is abandoned."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from modstream.broker.loop.isolation import message_of
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.errors import Interrupted
from modstream.lineage.emitter import Lineage
from modstream.lineage.runs import JobKind, LineageRun, OffsetRange
from modstream.models.schema.card import ModelCard


class TrainingRun:
    """Records the states of one training; errors pass through.

    The run starts from the champion, whose card describes the rows.
    """

    def __init__(self, lineage: Lineage, topics: Topics, champion: ModelCard, reason: str) -> None:
        self._lineage = lineage
        self._run = LineageRun(
            JobKind.TRAIN, topics.stream, champion.name, "START", inputs=(champion,), reason=reason
        )
        self._read: dict[TopicPartition, OffsetRange] = {}

    def reading(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield records, and note their offsets."""
        for record in records:
            first, _ = self._read.setdefault(record.topic_partition, (record.offset, 0))
            self._read[record.topic_partition] = first, record.offset + 1
            yield record

    def published(self, card: ModelCard, alias: str) -> None:
        """Note the version that was published; a rejected challenger is none."""
        self._run = replace(self._run, outputs=(card,), alias=alias)

    def __enter__(self) -> Self:
        self._lineage.record(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        done = replace(self._run, time=datetime.now(UTC), offsets=self._read)
        if error is None:
            self._lineage.record(replace(done, state="COMPLETE"))
        elif isinstance(error, Interrupted | KeyboardInterrupt):
            self._lineage.record(replace(done, state="ABORT"))
        else:
            self._lineage.record(replace(done, state="FAIL", error=message_of(error)))
