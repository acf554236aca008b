"""Deduplication of requests, across rewinds, restarts and rebalances."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.records import Record, TopicPartition, first_offsets
from modstream.broker.wire.topics import Header
from modstream.processors.predict.deduplication import Deduplicator, DedupWindow, read_id
from tests.processors.small_fixtures import make_record

SIZE = 5
LETTERS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60)


def by_definition(ids):
    """Return the offsets whose id is among the SIZE offsets before."""
    return {at for at, each in enumerate(ids) if each in ids[max(0, at - SIZE) : at]}


def named(request_id, offset, partition=0, headers=()):
    value = encode(Request(id=request_id, features={"x": 1.0}))
    return make_record(value, offset, partition=partition, headers=headers)


@given(LETTERS)
def test_a_duplicate_is_an_id_among_the_latest_offsets(ids):
    window = DedupWindow(SIZE)

    assert {at for at, each in enumerate(ids) if window.is_duplicate(at, each)} == by_definition(
        ids
    )


@pytest.mark.slow
@given(LETTERS, st.lists(st.integers(1, 20), min_size=60))
def test_ids_added_in_batches_equal_ids_added_one_by_one(ids, sizes):
    window, at, found = DedupWindow(SIZE), 0, set()
    for size in sizes:
        batch = range(at, min(at + size, len(ids)))
        if batch:
            found |= {batch[n] for n in window.add(batch, ids[batch.start : batch.stop])}
        at += size

    assert found == by_definition(ids)


@pytest.mark.slow
@given(LETTERS, st.lists(st.tuples(st.integers(1, SIZE), st.integers(1, 3)), min_size=60))
def test_a_rewound_reader_finds_the_same_duplicates(ids, schedule):
    window, at, found = DedupWindow(SIZE), 0, {}
    for batch, times in schedule:
        for _ in range(times):
            for offset in range(at, min(at + batch, len(ids))):
                found[offset] = window.is_duplicate(offset, ids[offset])
        at += batch

    assert {at for at, again in found.items() if again} == by_definition(ids)


@given(LETTERS, st.integers(0, 59))
def test_a_worker_that_starts_in_the_middle_finds_the_same_duplicates(ids, begin):
    log = [named(each, at) for at, each in enumerate(ids)]
    worker = Deduplicator(SIZE, lambda ranges: read(log, ranges), lambda _home: 1)
    rest = log[begin:]
    worker.backfill(first_offsets(rest))

    again = {rest[at].offset for at in worker.find_duplicates(rest, [read_id(r) for r in rest])}

    assert again == {at for at in by_definition(ids) if at >= begin}
    assert worker.duplicates == len(again)


def read(log, ranges):
    ((begin, end),) = ranges.values()
    return log[begin:end]


def test_a_partition_that_was_revoked_is_read_back_again():
    epochs, ranges = {0: 1, 1: 1}, []

    def read_back(asked):
        ranges.append(dict(asked))
        return []

    worker = Deduplicator(SIZE, read_back, lambda one: epochs[one.partition])
    partitions = [TopicPartition("s.requests", number) for number in (0, 1)]
    worker.backfill(first_offsets([named("a", 20, 0), named("b", 3, 1)]))
    worker.backfill(first_offsets([named("c", 21, 0), named("d", 4, 1)]))
    epochs[1] = 2
    worker.backfill(first_offsets([named("e", 22, 0), named("f", 40, 1)]))

    assert ranges == [{partitions[0]: (15, 20), partitions[1]: (0, 3)}, {partitions[1]: (35, 40)}]


def test_a_redriven_record_is_not_a_duplicate():
    worker = Deduplicator(SIZE, lambda _: [], lambda _home: 1)
    first, again = named("a", 0), named("a", 1, headers=((Header.REDRIVE_OF, b"s.dlq:0:7"),))
    worker.backfill(first_offsets([first, again]))

    assert not worker.find_duplicates([first, again], ["a", "a"])


def test_an_id_is_read_even_if_the_rest_of_the_request_is_invalid():
    def of(value, max_bytes=None):
        return read_id(Record("t", 0, 0, None, value), max_bytes)

    assert of(b'{"id": "a", "features": 7}') == "a"
    assert of(b'{"id": ""}') is None
    assert of(b"rubbish") is None
    assert of(None) is None
    assert of(b'{"id": "a"}', max_bytes=3) is None
