"""The scope of a search, and the options that limit it."""

import pytest

from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.operations.trace.search import (
    SearchScope,
    parse_position,
    select_likely_ranges,
    topics_with_request_ids,
)


def test_partition_of_the_key_is_read_first():
    topics = Topics("s")
    all_ranges = {
        TopicPartition(topic, number): (0, 9)
        for topic in topics_with_request_ids(topics)
        for number in range(5)
    }

    by_id = select_likely_ranges(all_ranges, "mine", SearchScope())
    by_key = select_likely_ranges(all_ranges, "mine", SearchScope(key="theirs"))
    by_number = select_likely_ranges(all_ranges, "mine", SearchScope(partition=3))

    assert {home.partition for home in by_id} == {partition_for_key(b"mine", 5)}
    assert {home.partition for home in by_key} == {partition_for_key(b"theirs", 5)}
    assert {home.partition for home in by_number} == {3}
    assert len(by_id) == len(topics_with_request_ids(topics))


@pytest.mark.parametrize(
    ("text", "found"),
    [("s.requests:2:41", (2, 41)), ("s.labels:2:41", None), ("s.requests", None),
     ("s.requests:2", None), ("s.requests:a:b", None), ("r-1", None)],
)  # fmt: skip
def test_position_is_distinguished_from_an_id(text, found):
    source = parse_position(text, "s.requests")

    assert (source and (source.partition, source.offset)) == found
