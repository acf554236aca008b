"""The search for all records of one request; its key limits the partitions to read."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from modstream.audit.lenient_messages import read_request
from modstream.audit.stream_audit import is_number
from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import SourcePosition
from modstream.broker.wire.event_requests import request_record
from modstream.broker.wire.model_contracts import Metrics, ModelEvent, VersionMarker
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.records import OffsetRanges, Record, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.errors import IdNotFound
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.operations.offset_ranges import (
    ReadProgressCallback,
    find_ranges,
    read_ranges,
)
from modstream.operations.trace.collector import C, RecordCollector
from modstream.operations.trace.facts import RequestStory
from modstream.operations.trace.story import (
    StoryContext,
    build_story,
    format_position,
    markers_in_effect,
)

METRICS_LEAD_MS = 3_600_000
"""Time before a label's join from which metrics are read, to find the values before it."""


class SearchScope(NamedTuple):
    """The scope of a search: the request's key or partition if known, and a start time (ms)."""

    key: str | None = None
    partition: int | None = None
    since: int | None = None

    @property
    def is_partition_known(self) -> bool:
        """Whether the partition is known."""
        return self.key is not None or self.partition is not None

    def __str__(self) -> str:
        """Return the scope in words, for error messages."""
        if self.partition is not None:
            return f"in partition {self.partition}"
        return "in any partition" if self.key is None else f"under the key {self.key!r}"


@dataclass(frozen=True, slots=True)
class RequestSearch:
    """A search in one stream's topics, without a consumer group and without commits.

    The order of a search:
      1. the partition of the key, which by default is the id; all topics of a request share it
      2. if neither request nor response is there and the partition is not known, all others
      3. requests that responses refer to and that are elsewhere, such as those without a key
      4. model events, version markers and metrics that the story needs
    """

    connection: Connection
    topics: Topics
    notice: ReadProgressCallback = lambda _doing, _count, _total: None
    versions: VersionClasses = field(default_factory=VersionClasses)

    def find_story(self, id_or_position: str, scope: SearchScope) -> RequestStory:
        """Return the story of a request, by its id or its position, `topic:partition:offset`.

        If retention has deleted the record at the position, the story has the versions that served
        there.

        Raises:
            IdNotFound: no record in the scope has the id, and no version marker is in effect.
            BrokerError: reading failed.
        """
        source = parse_position(id_or_position, self.topics.requests)
        if source is None:
            return self._find_by_id(id_or_position, scope)
        for record in self._read(single_record_range(source)):
            # If the offset does not exist, the read returns other records of the partition.
            if record.offset != source.offset:
                continue
            if (request := read_request(request_record(record).value)) is not None:
                partition = None if record.key is None else record.partition
                return self._find_by_id(request.id, scope._replace(partition=partition))
        return self._find_by_version_markers(id_or_position, source, scope)

    def _find_by_id(self, request_id: str, scope: SearchScope) -> RequestStory:
        collector = self.collect_records(request_id, scope)
        return build_story(collector, self._read_context(collector))

    def _find_by_version_markers(
        self, position: str, source: SourcePosition, scope: SearchScope
    ) -> RequestStory:
        ends = Admin(self.connection).end_offsets([source.topic])
        is_past = source.offset < ends.get(TopicPartition(source.topic, source.partition), 0)
        found = markers_in_effect(self.read_version_markers(), source) if is_past else ()
        if not found:
            raise IdNotFound(self.topics.stream, position, str(scope))
        return RequestStory(position, "the request was deleted by retention", version_markers=found)

    def collect_records(self, request_id: str, scope: SearchScope) -> RecordCollector:
        """Collect the records with an id.

        Raises:
            IdNotFound: no record in the scope has the id.
        """
        collector = RecordCollector(request_id, self.topics)
        all_ranges = find_ranges(
            Admin(self.connection), topics_with_request_ids(self.topics), scope.since
        )
        likely = select_likely_ranges(all_ranges, request_id, scope)
        self._add_records(collector, likely)
        if not collector.has_request and not scope.is_partition_known:
            others = {
                partition: offset_range
                for partition, offset_range in all_ranges.items()
                if partition not in likely
            }
            self._add_records(collector, others)
        for source in self._missing_requests(collector):
            self._add_records(collector, single_record_range(source))
        if collector.is_empty:
            raise IdNotFound(self.topics.stream, request_id, str(scope))
        return collector

    def read_version_markers(self, partitions: Iterable[int] | None = None) -> list[VersionMarker]:
        """Read all version markers, or those of some partitions."""
        found = find_ranges(Admin(self.connection), [self.topics.version_markers])
        if partitions is not None:
            found = {
                partition: found[partition]
                for partition in found
                if partition.partition in set(partitions)
            }
        return list(decode_readable(VersionMarker, self._read(found)))

    def _read_context(self, collector: RecordCollector) -> StoryContext:
        admin, topics = Admin(self.connection), self.topics
        events = self._read(find_ranges(admin, [topics.model_events]))
        joins = [record.timestamp for record, _ in collector.feedback]
        metrics = (
            find_ranges(admin, [topics.metrics], min(joins) - METRICS_LEAD_MS) if joins else {}
        )
        return StoryContext(
            events=list(decode_readable(ModelEvent, events)),
            version_markers=self.read_version_markers(
                {record.partition for record, _ in collector.responses}
            ),
            metrics=list(decode_readable(Metrics, self._read(metrics))),
            versions=self.versions,
        )

    def _missing_requests(self, collector: RecordCollector) -> Iterable[SourcePosition]:
        """Return the positions of requests that responses refer to and that were not found yet."""
        known = {record.position for record, _ in collector.requests}
        sources = dict.fromkeys(answer.source for _, answer in collector.responses)
        return [
            s
            for s in sources
            if s.topic == self.topics.requests and format_position(s) not in known
        ]

    def _add_records(self, collector: RecordCollector, ranges: OffsetRanges) -> None:
        for record in self._read(ranges):
            collector.add(record)

    def _read(self, ranges: OffsetRanges) -> Iterator[Record]:
        return read_ranges(self.connection, ranges, self.notice)


def topics_with_request_ids(topics: Topics) -> tuple[str, ...]:
    """Return the topics whose records have a request's id."""
    return (
        topics.requests,
        topics.predictions,
        topics.dlq,
        topics.labels,
        topics.feedback,
        topics.unjoined,
        topics.quarantine,
    )


def select_likely_ranges(
    all_ranges: OffsetRanges, request_id: str, scope: SearchScope
) -> OffsetRanges:
    """Return the ranges of the partition that a request's key maps to, in each topic."""
    counts = Counter(partition.topic for partition in all_ranges)
    key = (request_id if scope.key is None else scope.key).encode()
    return {
        partition: offset_range
        for partition, offset_range in all_ranges.items()
        if partition.partition == _partition_of(key, counts[partition.topic], scope.partition)
    }


def parse_position(text: str, topic: str) -> SourcePosition | None:
    """Parse a position in the requests topic, `topic:partition:offset`; None if it is not one."""
    named, *numbers = text.rsplit(":", 2)
    if named != topic or len(numbers) != 2 or not all(map(is_number, numbers)):
        return None
    partition, offset = map(int, numbers)
    return SourcePosition(topic=topic, partition=partition, offset=offset)


def single_record_range(source: SourcePosition) -> OffsetRanges:
    """Return the offset range of the one record at a position."""
    partition = TopicPartition(source.topic, source.partition)
    return {partition: (source.offset, source.offset + 1)}


def decode_readable(contract: type[C], records: Iterable[Record]) -> Iterator[C]:
    """Decode records, and skip tombstones and records that violate the contract."""
    for record in records:
        try:
            yield decode(contract, record.value)
        except DecodeError:
            continue


def _partition_of(key: bytes, count: int, given: int | None) -> int:
    return partition_for_key(key, count) if given is None else given
