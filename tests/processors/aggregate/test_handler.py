"""The aggregator's handler: every event counts once, also if a batch is read again."""

from collections import defaultdict
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.broker.wire.codec import KIND_ERROR, KIND_PREDICTION
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Header
from modstream.processors.aggregate.handler import WATERMARK_EVENTS, Watermark
from modstream.processors.aggregate.updates import (
    PartialUpdate,
    ProgressUpdate,
    StartUpdate,
    UnknownUpdate,
)
from modstream.processors.features.row_origin import RowOrigins
from tests.processors.aggregate.feature_log import TOPICS, Log
from tests.processors.aggregate.records import label, request

MINUTE = 60_000
DEFINITIONS = b"""
[[features]]
name = "asked"
source = "requests"
group = ["airport"]
window = "1h"
aggregate = "count"

[[features]]
name = "late"
source = "labels"
group = []
window = "1h"
aggregate = "mean"
value = "label"
"""
ONE = DEFINITIONS[: DEFINITIONS.index(b"[[features]]", 5)]


@pytest.fixture(scope="module", params=["memory", "disk"], autouse=True)
def store(request, tmp_path_factory):
    """Run all tests with state in memory and on disk."""
    Stores.folder = None if request.param == "memory" else tmp_path_factory.mktemp("copies")


class Stores:
    """Where the state of the tests is."""

    folder = None


def new_log(document=DEFINITIONS):
    return Log(document, Stores.folder)


def origin(time, key=b"k"):
    return RowOrigins([time], lambda: [key])


def asked(served, airport="A", time=0):
    (found,) = served.of_rows(("asked",), [{"airport": airport}], origin(time))
    return found["asked"]


@settings(max_examples=20)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.data())
def test_every_event_counts_once_however_batches_are_cut_and_read_again(sizes, data):
    log = new_log()
    handler, offset = log.handler(), 0
    for size in sizes:
        batch = [request(offset + at) for at in range(size)]
        result = handler(batch)
        if data.draw(st.booleans(), label="committed"):
            log.commit(result.records)
            offset += size
        elif data.draw(st.booleans(), label="killed"):
            handler = log.handler()

    assert asked(log.served()) == offset


def test_a_batch_behind_an_aborted_one_is_not_counted_either():
    log = new_log()
    handler = log.handler()
    handler([request(0), request(1)])
    handler([request(2)])

    result = handler([request(0)])
    log.commit(result.records)

    assert asked(log.served()) == 1
    progress = [log.codec.decode(record) for record in log.records]
    assert ProgressUpdate("s.predictions:0", 1) in progress


def test_an_owner_that_moves_continues_from_what_was_committed():
    log, epochs = new_log(), defaultdict(int)
    first, second = log.handler(), log.handler(epochs)
    log.commit(first([request(0), request(1)]).records)
    log.commit(second([request(2)]).records)
    log.commit(first([request(3, partition=1)]).records)

    assert asked(log.served()) == 4


def test_aggregations_count_from_where_they_began():
    log, partition = new_log(ONE), TopicPartition(TOPICS.predictions, 0)
    handler = log.handler()
    log.commit(handler.begin({partition: 5}))
    log.commit(handler([request(5)]).records)
    later = log.redefined(DEFINITIONS)
    again = list(later.handler().begin({partition: 6, TopicPartition(TOPICS.feedback, 0): 3}))

    (asked_id,) = log.features.aggregations
    (late_id,) = later.features.aggregations.keys() - {asked_id}
    starts = [later.codec.decode(Record("", 0, 0, one.key, one.value)) for one in again]
    assert starts == [StartUpdate("s.feedback:0", late_id, 3)]
    assert log.served().progress.starts == {("s.predictions:0", asked_id): 5}


def test_what_is_not_defined_any_more_is_removed_once():
    log, partition = new_log(), TopicPartition(TOPICS.feedback, 0)
    handler = log.handler()
    log.commit(handler.begin({partition: 0}))
    log.commit(handler([label(0, True)]).records)
    reduced = log.redefined(ONE)

    removed = list(reduced.handler().begin({partition: 1}))
    log.commit(removed)

    assert [one.value for one in removed] == [None, None]
    assert list(reduced.handler().begin({partition: 1})) == []
    found = [reduced.codec.decode(record) for record in log.records]
    assert sum(isinstance(one, UnknownUpdate) and one.is_removed for one in found) == 2


def test_only_rows_with_features_and_first_labels_are_events():
    log = new_log()
    handler = log.handler()
    batch = [
        request(0, kind=KIND_ERROR),
        Record(TOPICS.predictions, 0, 1, b"k", b'{"id":"x"}', ((Header.KIND, KIND_PREDICTION),)),
        Record(TOPICS.predictions, 0, 2, b"k", None, ((Header.KIND, KIND_PREDICTION),)),
        label(0, True),
        label(1, False, features=None, revises=True),
    ]
    log.commit(handler(batch).records)

    assert handler.events == 1
    (row,) = log.served().of_rows(("asked", "late"), [{"airport": "A"}], origin(0))
    assert row == {"asked": 0.0, "late": 1.0}


@pytest.mark.parametrize(
    "value",
    [b"{", b"[]", b'{"id":1}', b'{"id":"a","features":5}', b"\xff", b"[" * 5000,
     b'{"id":"a","features":{"names":["x"],"data":[1,2]}}'],
)  # fmt: skip
def test_a_record_that_cannot_be_read_is_counted_and_costs_no_other(value):
    log = new_log()
    handler = log.handler()
    broken = Record(TOPICS.predictions, 0, 0, b"k", value, ((Header.KIND, KIND_PREDICTION),))

    log.commit(handler([broken, request(1)]).records)

    assert asked(log.served()) == 1


def test_rows_of_several_are_events_of_their_own():
    log = new_log()
    value = (
        b'{"id":"r","features":[{"airport":"A"},{"airport":"A"},{"airport":"B"}],"event_time":0}'
    )
    record = Record(TOPICS.predictions, 0, 0, b"k", value, ((Header.KIND, KIND_PREDICTION),))

    log.commit(log.handler()([record]).records)

    assert (asked(log.served(), "A"), asked(log.served(), "B")) == (2.0, 1.0)


def test_slices_that_no_request_can_read_are_removed():
    log = new_log()
    handler = log.handler()
    log.commit(handler([request(at, time=0) for at in range(5)]).records)
    late = [request(5 + at, time=200 * MINUTE) for at in range(WATERMARK_EVENTS)]
    log.commit(handler(late).records)

    assert len(log.partials()) == 1
    assert asked(log.served(), time=0) == 0


def test_one_event_from_the_future_removes_nothing():
    watermark = Watermark()
    watermark.add([1000] * WATERMARK_EVENTS)
    watermark.add([10**15])

    assert watermark.value == 1000
    watermark.add([0] * WATERMARK_EVENTS)
    assert watermark.value == 1000


def test_an_update_is_the_newest_value_of_its_key():
    log = new_log()
    records = log.handler()([request(0), request(1), request(2)]).records

    keys = [one.key for one in records]
    updates = [log.codec.decode(Record("", 0, 0, one.key, one.value)) for one in records]
    assert len(set(keys)) == len(keys) == 2
    assert [one.partial for one in updates if isinstance(one, PartialUpdate)] == [3]


def test_foreign_records_in_the_topic_are_counted_and_ignored():
    log = new_log()
    log.commit(log.handler()([request(0)]).records)
    log.commit(
        [
            SimpleNamespace(topic="t", key=key, value=value)
            for key, value in ((None, b"x"), (b"{}", b"1"), (b'["a"]', b"x"), (b"[1,2,3,4]", b""))
        ]
    )

    served = log.served()

    assert (served.unreadable, asked(served)) == (4, 1.0)
    assert served.position == b"6"


def test_the_key_of_a_record_is_a_group():
    log = new_log(ONE.replace(b'"airport"', b'"@key"'))
    batch = [
        request(0),
        request(1)._replace(key=b"other"),
        request(2),
        request(3)._replace(key=None),
    ]
    log.commit(log.handler()(batch).records)
    served = log.served()

    counts = [
        served.of_rows(("asked",), [{}], origin(0, key))[0]["asked"]
        for key in (b"k", b"other", b"none", None)
    ]
    assert counts == [2.0, 1.0, 0.0, 0.0]
