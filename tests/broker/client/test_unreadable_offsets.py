"""What cannot be read is stepped over, loudly, and costs its neighbours nothing."""

from uuid import uuid4

import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from modstream.broker.client import offset_skipper
from modstream.broker.client.admin import Admin
from modstream.broker.client.batch_settings import BatchSettings
from modstream.broker.client.connection import Connection
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.offset_skipper import OffsetSkipper, SkippedOffsets
from modstream.broker.client.reader import Reader, read_offset_ranges, read_to_end
from modstream.broker.wire.records import ILLEGIBLE_HEADERS, TopicPartition, next_offsets
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Header, TopicSpec
from tests.broker.client.hostile_records import damage, send_batch, send_bomb, send_illegible

pytestmark = pytest.mark.real
CONFIG = {"max.message.bytes": str(MAX_RECORD_BYTES)}


@pytest.fixture
def topic(connection, prefix):
    name = f"{prefix}in"
    Admin(connection).create([TopicSpec(name, 2, CONFIG)])
    return name


@pytest.fixture(scope="module")
def bombed(bootstrap):
    """A topic with readable batches between and around unreadable ones; offsets 0 to 37."""
    connection, topic = Connection(bootstrap), f"t{uuid4().hex[:8]}.in"
    Admin(connection).create([TopicSpec(topic, 2, CONFIG)])
    send_batch(connection, topic, [b"0", b"1"])
    send_bomb(connection, topic)  # Offset 2.
    send_batch(connection, topic, [b"3", b"4", b"5"])
    send_bomb(connection, topic, records=25)  # Offsets 6 to 30.
    send_bomb(connection, topic, records=3)  # Offsets 31 to 33.
    send_batch(connection, topic, [b"34"])
    send_bomb(connection, topic, records=2)  # Offsets 35 and 36.
    send_batch(connection, topic, [b"37"], "gzip")
    send_batch(connection, topic, [b"other"], partition=1)
    return topic


def skipped(log):
    return [
        (one["first"], one["last"]) for one in log if one["event"] == "unreadable offsets skipped"
    ]


def poll_until(member, count):
    """Poll until that many records of partition 0 have arrived."""
    found = []
    for _ in range(300):
        found += [record for record in member.poll() if record.partition == 0]
        if len(found) >= count:
            return found
    raise AssertionError(found)


def member_of(connection, topic, group=None):
    group = group or f"{topic}-{uuid4().hex[:8]}"
    return GroupConsumer(connection, group, [topic], BatchSettings(poll_timeout=0.1))


@pytest.mark.parametrize("committed", [True, False])
def test_a_reader_steps_over_unreadable_batches(connection, bombed, committed):
    with capture_logs() as log:
        values = [record.value for record in read_to_end(connection, [bombed], committed=committed)]

    assert sorted(values) == sorted([b"0", b"1", b"3", b"4", b"5", b"34", b"37", b"other"])
    assert skipped(log) == [(2, 2), (6, 30), (31, 33), (35, 36)]


def test_a_range_that_begins_or_ends_within_an_unreadable_batch_is_read(connection, bombed):
    partition = TopicPartition(bombed, 0)

    found = read_offset_ranges(connection, bombed, {partition: (10, 36)})

    assert [record.value for record in found] == [b"34"]


def test_a_group_member_gets_one_record_for_each_unreadable_batch(connection, bombed):
    member = member_of(connection, bombed)
    try:
        with capture_logs() as log:
            found = poll_until(member, 11)
    finally:
        member.close()

    readable = [record for record in found if record.value is not None]
    assert [record.offset for record in readable] == [0, 1, 3, 4, 5, 34, 37]
    stand_ins = {record.offset: record for record in found if record.value is None}
    assert sorted(stand_ins) == [2, 30, 33, 36]
    assert stand_ins[30].header(Header.SKIPPED).startswith(b"6-30: Decompression")
    assert [record.offset for record in found] == sorted(record.offset for record in found)
    assert skipped(log) == [(2, 2), (6, 30), (31, 33), (35, 36)]


def test_a_rewound_member_gets_the_same_records_again(connection, bombed):
    member = member_of(connection, bombed)
    try:
        first = poll_until(member, 11)
        member.rewind([record for record in first if record.offset >= 30])
        again = poll_until(member, 5)
    finally:
        member.close()

    # Not the readable ones alone: a rewind into an unreadable batch returns its stand-in.
    assert [record.offset for record in again] == [30, 33, 34, 36, 37]


def test_offsets_are_committed_past_an_unreadable_batch(connection, bombed):
    group, partition = f"{bombed}-commits", TopicPartition(bombed, 0)
    member = member_of(connection, bombed, group)
    try:
        batch = [record for record in poll_until(member, 11) if record.offset <= 33]
        member.commit(next_offsets(batch))
    finally:
        member.close()
    successor = member_of(connection, bombed, group)
    try:
        found = poll_until(successor, 3)
    finally:
        successor.close()

    assert Admin(connection).committed_offsets(group, [bombed])[partition] == 34
    assert [record.offset for record in found] == [34, 36, 37]


def test_an_offset_that_is_unreadable_only_once_is_not_skipped(connection, topic):
    send_batch(connection, topic, [b"0", b"1", b"2"])

    assert OffsetSkipper(connection).find(TopicPartition(topic, 0), 1) is None


def test_a_search_that_runs_out_of_time_is_continued_where_it_was(connection, topic, monkeypatch):
    monkeypatch.setattr(offset_skipper, "SEARCH_TIMEOUT_S", -1)
    send_batch(connection, topic, [b"0"])
    send_bomb(connection, topic, records=5)
    send_batch(connection, topic, [b"6"])

    with capture_logs() as log:
        values = [record.value for record in read_to_end(connection, [topic])]

    assert values == [b"0", b"6"]
    ranges = skipped(log)
    assert len(ranges) > 1
    assert [n for first, last in ranges for n in range(first, last + 1)] == [1, 2, 3, 4, 5]


def test_an_unreadable_end_of_a_partition_is_stepped_over_too(connection, topic):
    send_batch(connection, topic, [b"0"])
    send_bomb(connection, topic, records=4)
    with Reader(connection, [topic]) as reader:
        while not reader.at_end():
            reader.poll()
        send_batch(connection, topic, [b"5"])
        found = []
        while not found:
            found = reader.poll()

    assert [record.offset for record in found] == [5]


@pytest.fixture
def server(kafka_server):
    return kafka_server()


def test_a_damaged_batch_is_skipped_and_not_read_as_other_values(server, tmp_path, prefix):
    connection, topic = Connection(server.url), f"{prefix}in"
    Admin(connection).create([TopicSpec(topic, 1, CONFIG)])
    for number in range(5):
        send_batch(connection, topic, [b"value-%d-%d" % (number, n) for n in range(3)])
    damage(tmp_path, topic, b"value-1-1")
    damage(tmp_path, topic, b"value-3-0")

    with capture_logs() as log:
        values = [record.value for record in read_to_end(connection, [topic])]
    member = member_of(connection, topic)
    try:
        offsets = [record.offset for record in poll_until(member, 11)]
    finally:
        member.close()

    assert values == [b"value-%d-%d" % (number, n) for number in (0, 2, 4) for n in range(3)]
    assert skipped(log) == [(3, 5), (9, 11)]
    assert offsets == [0, 1, 2, 5, 6, 7, 8, 11, 12, 13, 14]


def test_records_with_odd_headers_are_read_by_all(connection, topic):
    many = [(f"h{number}", b"v") for number in range(10_000)]
    send_illegible(connection, topic, b"0")
    send_batch(connection, topic, [b"1"], headers=[("d", b"1"), ("d", None), ("", b"")])
    send_illegible(connection, topic, b"2")
    send_illegible(connection, topic, b"3")
    send_batch(connection, topic, [b"4"], headers=many)
    send_batch(connection, topic, [b"5"], headers=[("ce_x", bytes(8_000_000))])
    send_batch(connection, topic, [b"6"])
    member = member_of(connection, topic)
    try:
        polled = poll_until(member, 7)
    finally:
        member.close()

    for found in (polled, list(read_to_end(connection, [topic]))):
        assert [record.value for record in found] == [b"%d" % number for number in range(7)]
        headers = [record.headers for record in found]
        assert [headers[n] for n in (0, 2, 3)] == [ILLEGIBLE_HEADERS] * 3
        assert headers[1] == (("d", b"1"), ("d", None), ("", b""))
        assert headers[4] == tuple(many)
        assert headers[6] == ()


def test_skipped_offsets_are_described_by_a_record():
    record = SkippedOffsets(TopicPartition("t", 3), 5, 9, "why", 5).to_record()

    assert (record.topic_partition, record.offset) == (TopicPartition("t", 3), 8)
    assert (record.key, record.value) == (None, None)
    assert record.header(Header.SKIPPED) == b"5-8: why"


def test_errors_of_the_connection_do_not_count_as_unreadable():
    transient = {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError.NOT_LEADER_FOR_PARTITION}

    assert not transient & offset_skipper.UNREADABLE_ERRORS
