"""Stretches of topics, read without a group: what questions about the past are answered from."""

from collections.abc import Callable, Iterator, Sequence

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_spans
from modstream.broker.wire.records import Record, TopicPartition

Spans = dict[TopicPartition, tuple[int, int]]
"""By partition: the first offset, and the one before which to stop."""
Notice = Callable[[str, int, int], None]
"""Told what is being read, and how many records have come of at most so many offsets."""
EVERY = 1000
"""Records between two notices."""


def spans(
    admin: Admin, topics: Sequence[str], since: int | None = None, until: int | None = None
) -> Spans:
    """Where topics hold what was written from `since` to before `until` (ms); None is no bound.

    A partition is cut before its first record of either time or later, so a record that is out of
    order is taken with its neighbours.

    Raises:
        TopicMissing: a topic does not exist.
        BrokerUnavailable: nobody answers.
    """
    ends = admin.ends(topics) if until is None else admin.since(topics, until)
    starts = {} if since is None else admin.since(topics, since)
    return {home: (starts.get(home, 0), end) for home, end in ends.items()}


def read(connection: Connection, wanted: Spans, notice: Notice) -> Iterator[Record]:
    """The committed records of some spans, topic after topic, in the order of each partition."""
    filled = {home: span for home, span in wanted.items() if span[1] > span[0]}
    total, count = sum(stop - start for start, stop in filled.values()), 0
    for topic in dict.fromkeys(home.topic for home in filled):
        own = {home: span for home, span in filled.items() if home.topic == topic}
        notice(topic, count, total)
        for record in read_spans(connection, topic, own):
            count += 1
            if count % EVERY == 0:
                notice(topic, count, total)
            yield record
