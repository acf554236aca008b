"""Finding what the topics hold of one request, with as little reading as its key allows."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from modstream.audit.lenient_messages import asked
from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Fence, Metrics, ModelEvent, Source
from modstream.broker.wire.partitioner import partition_of
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.errors import IdNotFound
from modstream.operations.offset_ranges import Notice, Spans, read, spans
from modstream.operations.trace.collector import C, Trail
from modstream.operations.trace.facts import Account
from modstream.operations.trace.story import Context, account_of, place, served

LEAD_MS = 3_600_000
"""How far before a label's join the figures are read, to know how they stood."""


class Scope(NamedTuple):
    """Where to look: the request's key or partition if known, and not before `since` (ms)."""

    key: str | None = None
    partition: int | None = None
    since: int | None = None

    @property
    def known(self) -> bool:
        """Whether the partition is known."""
        return self.key is not None or self.partition is not None

    def __str__(self) -> str:
        """The scope in words, for who has found nothing there."""
        if self.partition is not None:
            return f"in partition {self.partition}"
        return "in any partition" if self.key is None else f"under the key {self.key!r}"


@dataclass(frozen=True, slots=True)
class Search:
    """Reads one stream's topics; joins no group, commits nothing.

    The order of a search:
      1. the partition of the key, which by default is the id; all topics of a request share it
      2. if neither request nor answer lies there and nothing better is known, all others
      3. requests that answers name and that lie elsewhere, as those without a key do
      4. versions, fences and figures that the account needs
    """

    connection: Connection
    topics: Topics
    notice: Notice = lambda _doing, _count, _total: None

    def account(self, wanted: str, scope: Scope) -> Account:
        """The account of a request, by its id or by its place, `topic:partition:offset`.

        Of a place whose record retention has deleted, the account tells who answered there.

        Raises:
            IdNotFound: no record in this scope carries the id, nor does a fence know the place.
            BrokerError: reading failed.
        """
        source = source_of(wanted, self.topics.requests)
        if source is None:
            return self._by_id(wanted, scope)
        for record in self._read(span_of(source)):
            # A place that is not there is read as the whole partition.
            legible = asked(record.value) if record.offset == source.offset else None
            if legible is not None:
                beside = None if record.key is None else record.partition
                return self._by_id(legible.id, scope._replace(partition=beside))
        return self._by_fences(wanted, source, scope)

    def _by_id(self, request_id: str, scope: Scope) -> Account:
        trail = self.trail(request_id, scope)
        return account_of(trail, self._context(trail))

    def _by_fences(self, wanted: str, source: Source, scope: Scope) -> Account:
        ends = Admin(self.connection).ends([source.topic])
        is_past = source.offset < ends.get(TopicPartition(source.topic, source.partition), 0)
        found = served(self.fences(), source) if is_past else ()
        if not found:
            raise IdNotFound(self.topics.stream, wanted, str(scope))
        return Account(wanted, "the record is no longer there", served=found)

    def trail(self, request_id: str, scope: Scope) -> Trail:
        """The records that carry an id.

        Raises:
            IdNotFound: there are none in this scope.
        """
        trail = Trail(request_id, self.topics)
        everywhere = spans(Admin(self.connection), carriers(self.topics), scope.since)
        likely = likely_spans(everywhere, request_id, scope)
        self._follow(trail, likely)
        if not trail.asked and not scope.known:
            others = {home: span for home, span in everywhere.items() if home not in likely}
            self._follow(trail, others)
        for source in self._unseen(trail):
            self._follow(trail, span_of(source))
        if trail.empty:
            raise IdNotFound(self.topics.stream, request_id, str(scope))
        return trail

    def fences(self, partitions: Iterable[int] | None = None) -> list[Fence]:
        """All fences, or those beside the answers of some partitions."""
        found = spans(Admin(self.connection), [self.topics.fences])
        if partitions is not None:
            found = {home: found[home] for home in found if home.partition in set(partitions)}
        return list(messages(Fence, self._read(found)))

    def _context(self, trail: Trail) -> Context:
        admin, topics = Admin(self.connection), self.topics
        events = self._read(spans(admin, [topics.model_events]))
        joins = [record.timestamp for record, _ in trail.joins]
        figures = spans(admin, [topics.metrics], min(joins) - LEAD_MS) if joins else {}
        return Context(
            events=list(messages(ModelEvent, events)),
            fences=self.fences({record.partition for record, _ in trail.answers}),
            series=list(messages(Metrics, self._read(figures))),
        )

    def _unseen(self, trail: Trail) -> Iterable[Source]:
        """Where the requests lie that answers name and that were not come by."""
        known = {record.place for record, _ in trail.requests}
        sources = dict.fromkeys(answer.source for _, answer in trail.answers)
        return [s for s in sources if s.topic == self.topics.requests and place(s) not in known]

    def _follow(self, trail: Trail, wanted: Spans) -> None:
        for record in self._read(wanted):
            trail.add(record)

    def _read(self, wanted: Spans) -> Iterator[Record]:
        return read(self.connection, wanted, self.notice)


def carriers(topics: Topics) -> tuple[str, ...]:
    """The topics whose records carry a request's id."""
    return (
        topics.requests,
        topics.predictions,
        topics.dlq,
        topics.labels,
        topics.feedback,
        topics.unjoined,
        topics.quarantine,
    )


def likely_spans(everywhere: Spans, request_id: str, scope: Scope) -> Spans:
    """The partition of each topic that a request's records should lie in."""
    counts = Counter(home.topic for home in everywhere)
    key = (request_id if scope.key is None else scope.key).encode()
    return {
        home: span
        for home, span in everywhere.items()
        if home.partition == _number(key, counts[home.topic], scope.partition)
    }


def source_of(text: str, topic: str) -> Source | None:
    """A place in the requests topic as it is written in answers and letters, or None."""
    named, *numbers = text.rsplit(":", 2)
    if named != topic or len(numbers) != 2 or not all(map(str.isdecimal, numbers)):
        return None
    partition, offset = map(int, numbers)
    return Source(topic=topic, partition=partition, offset=offset)


def span_of(source: Source) -> Spans:
    """The one record at a place."""
    home = TopicPartition(source.topic, source.partition)
    return {home: (source.offset, source.offset + 1)}


def messages(contract: type[C], records: Iterable[Record]) -> Iterator[C]:
    """What can be read of some records, tombstones and strangers left out."""
    for record in records:
        try:
            yield decode(contract, record.value)
        except DecodeError:
            continue


def _number(key: bytes, count: int, given: int | None) -> int:
    return partition_of(key, count) if given is None else given
