"""Joined labels carry the trace contexts of their request and of their label."""

import asyncio

import pytest

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Label
from modstream.broker.wire.records import Record, TopicPartition
from modstream.processors.join.joiner import FetchedChunk, Joiner
from modstream.processors.join.partition import PartitionJoin
from modstream.processors.join.settings import JoinerSettings
from tests.processors.join.join_log import HORIZON, NOW, OUT_OF_ORDERNESS, TOPICS, prediction

REQUEST = b"00-" + b"a" * 32 + b"-" + b"1" * 16 + b"-01"
LABEL = b"00-" + b"b" * 32 + b"-" + b"2" * 16 + b"-01"
BOTH = (("traceparent", REQUEST), ("modstream-label-traceparent", LABEL))


def response(value=REQUEST, offset=0):
    headers = () if value is None else (("traceparent", value), ("tracestate", b"v=1"))
    return Record(TOPICS.predictions, 0, offset, b"a", encode(prediction("a")), headers, NOW)


def label(value=LABEL, offset=0, *, truth=True, revision=0):
    headers = () if value is None else (("traceparent", value),)
    message = Label(id="a", label=truth, event_time=NOW, revision=revision)
    return Record(TOPICS.labels, 0, offset, b"a", encode(message), headers, NOW)


def new_join():
    return PartitionJoin(TOPICS, HORIZON, OUT_OF_ORDERNESS)


def process(join, *records):
    """Return what is published for records, and the rows of the changelog."""
    published, rows = [], []
    for record in records:
        output = join.process(record.topic, record.offset + 1, [record])
        published += output.records
        rows += output.changelog_rows
    return published, rows


def headers_of(records):
    return [record.headers for record in records]


@pytest.mark.parametrize("records", [(response(), label()), (label(), response())])
def test_feedback_carries_both_contexts_whichever_side_arrives_first(records):
    published, _ = process(new_join(), *records)

    assert headers_of(published) == [BOTH]
    assert published[0].topic == TOPICS.feedback


@pytest.mark.parametrize("first", [response(), label()])
def test_context_of_a_side_that_waits_is_in_the_changelog(first):
    _, rows = process(new_join(), first)
    restored = new_join()
    for key, value in rows:
        restored.restore(key, value)

    published, _ = process(restored, label() if first.topic == TOPICS.predictions else response())

    assert headers_of(published) == [BOTH]


@pytest.mark.parametrize(
    ("of_request", "of_label", "expected"),
    [
        (None, None, ()),
        (REQUEST[:-1] + b"0", LABEL[:-1] + b"0", ()),
        (b"nonsense", b"00-1", ()),
        (REQUEST, None, BOTH[:1]),
        (None, LABEL, BOTH[1:]),
        (b"cc" + REQUEST[2:] + b"-more", None, ((BOTH[0][0], b"cc" + REQUEST[2:]),)),
    ],
)
def test_only_valid_and_sampled_contexts_are_carried(of_request, of_label, expected):
    published, _ = process(new_join(), response(of_request), label(of_label))

    assert headers_of(published) == [expected]


def test_entries_without_a_context_are_written_as_before():
    _, rows = process(new_join(), response(None), label(None))

    assert not any(b"trace" in value for _, value in rows if value is not None)


def test_a_corrected_label_carries_its_own_context():
    other = LABEL.replace(b"2", b"3")
    published, _ = process(
        new_join(), response(), label(), label(other, 1, truth=False, revision=1)
    )

    expected = (BOTH[0], ("modstream-label-traceparent", other))
    assert headers_of(published) == [BOTH, expected, expected]


class NotedIO:
    """Notes the records of each topic; sending to a topic in `failing` raises."""

    def __init__(self):
        self.sent, self.failing = [], set()

    async def send_rows(self, topic, _partition, rows):
        if topic in self.failing:
            raise OSError(topic)
        self.sent += [(topic, ()) for _ in rows]

    async def send_records(self, topic, _partition, records):
        self.sent += [(topic, record.headers) for record in records]

    def at_end(self, _tp):
        return True

    def set_paused(self, _tp, *, is_paused):
        pass


def join_in_a_process(io, on_joined):
    joiner = Joiner(TOPICS, JoinerSettings(partitions=1), "changelog", io, on_joined=on_joined)
    joiner.assign({0})
    joiner.resume()

    async def run():
        for record in (response(), label()):
            tp = TopicPartition(record.topic, 0)
            await joiner.process(tp, FetchedChunk(None, record.offset + 1, [record]))

    asyncio.run(run())


def test_feedback_is_sent_with_its_headers_and_then_observed():
    io, observed = NotedIO(), []

    def on_joined(batch):
        observed.append((batch, len(io.sent)))

    join_in_a_process(io, on_joined)

    assert (TOPICS.feedback, BOTH) in io.sent
    (read, _), (joined, sent) = observed
    assert (read.records, list(read.published)) == ([response()], [])
    assert joined.records == [label()]
    assert headers_of(joined.published) == [BOTH]
    assert 0 < read.started <= joined.started
    assert sent == len(io.sent)


def test_batch_whose_changelog_is_not_written_is_not_observed():
    io, observed = NotedIO(), []
    io.failing.add("changelog")

    with pytest.raises(OSError, match="changelog"):
        join_in_a_process(io, observed.append)

    assert observed == []
