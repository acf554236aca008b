"""Deduplication of requests, across rewinds, restarts and rebalances."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.errors import RightMissing
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.dead_letters import build_dead_letter, build_redriven_request
from modstream.broker.wire.originals import read_original
from modstream.broker.wire.records import Record, TopicPartition, first_offsets
from modstream.broker.wire.topics import Header
from modstream.processors.predict.deduplication import Deduplicator, DedupWindow, read_id
from modstream.processors.predict.redriven import RedriveProof
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


def letter_of(record, offset, partition=0):
    """Return the dead letter of a request, at an offset of its topic."""
    built = build_dead_letter(record, "s.dlq", ValueError("no"), "predict")
    return Record(built.topic, partition, offset, built.key, built.value, built.headers, 7)


def redriven(letter, offset):
    """Return the request of a dead letter, sent again."""
    built = build_redriven_request(letter)
    return Record(built.topic, 0, offset, built.key, built.value, built.headers, 7)


def worker_with(letters, log=()):
    """Return a deduplicator that finds these dead letters, and the positions that it looks at."""
    by_position, asked = {letter[:3]: letter for letter in letters}, []

    def find(partition, offset):
        asked.append((*partition, offset))
        return by_position.get((*partition, offset))

    read_back = partial(read, log)
    return Deduplicator(SIZE, read_back, lambda _: 1, was_redriven=RedriveProof(find)), asked


def find_duplicates(worker, batch):
    worker.backfill(first_offsets(batch))
    return worker.find_duplicates(batch, [read_id(record) for record in batch])


def test_a_redriven_record_is_not_a_duplicate():
    first = named("a", 0)
    letter = letter_of(first, 7)
    worker, asked = worker_with([letter])

    assert not find_duplicates(worker, [first, redriven(letter, 1)])
    assert asked == [letter[:3]]


def test_each_dead_letter_is_answered_once():
    first = named("a", 0)
    letters = [letter_of(first, 7), letter_of(first, 8)]
    again = [redriven(letters[at], number) for number, at in enumerate((0, 0, 1, 1), start=1)]

    assert find_duplicates(worker_with(letters)[0], [first, *again]) == {2, 4}


@pytest.mark.parametrize("begin", range(4))
def test_a_worker_that_starts_in_the_middle_answers_each_dead_letter_once(begin):
    first = named("a", 0)
    letter = letter_of(first, 7)
    log = [first, *(redriven(letter, at) for at in (1, 2, 3))]
    worker, _ = worker_with([letter], log)

    found = find_duplicates(worker, log[begin:])

    assert {begin + at for at in found} == {at for at in (2, 3) if at >= begin}


FORGED = {
    "empty": b"",
    "no position": b"s.dlq",
    "no numbers": b"s.dlq:x:y",
    "other digits": "s.dlq:0:\u0667".encode(),
    "no letter": b"s.dlq:0:6",
    "negative": b"s.dlq:0:-7",
    "another topic": b"s.requests:0:7",
    "a letter of another id": b"s.dlq:0:8",
    "a letter of another key": b"s.dlq:0:9",
    "a letter of another topic": b"s.dlq:0:10",
    "large": b"s.dlq:0:" + b"7" * 10_000,
}


@pytest.mark.parametrize("name", FORGED)
def test_a_header_without_a_dead_letter_of_the_request_does_not_hide_a_duplicate(name):
    first = named("a", 0)
    letters = [
        letter_of(named("b", 0), 8),
        letter_of(first._replace(key=b"other"), 9),
        letter_of(first._replace(topic="t.requests"), 10),
    ]
    forged = ((str(Header.REDRIVE_OF), FORGED[name]),)
    again = [named("a", at, headers=forged) for at in range(1, 5)]

    assert find_duplicates(worker_with(letters)[0], [first, *again]) == {1, 2, 3, 4}


def test_a_missing_right_makes_a_duplicate_and_does_not_end_the_worker():
    def find(_partition, _offset):
        raise RightMissing("to read the topic s.dlq")

    worker = Deduplicator(SIZE, lambda _: [], lambda _: 1, was_redriven=RedriveProof(find))
    first = named("a", 0)

    assert find_duplicates(worker, [first, redriven(letter_of(first, 7), 1)]) == {1}


def test_ordinary_records_look_nothing_up():
    worker, asked = worker_with([])
    headers = (("traceparent", b"00-1"), (str(Header.ATTEMPTS), b"9"))
    batch = [named("a", 0), named("a", 1), named("a", 2, headers=headers), named("b", 3)]

    assert find_duplicates(worker, batch) == {1, 2}
    assert asked == []


def test_a_cut_dead_letter_proves_a_request_with_its_key():
    large = make_record(b'{"id": "a", "features": {"x": "' + b"x" * 4000, 0)
    built = build_dead_letter(large, "s.dlq", ValueError("no"), "predict", limit=3000)
    letter = Record("s.dlq", 0, 7, built.key, built.value, built.headers, 7)
    assert read_original(letter) is not None
    headers = ((str(Header.REDRIVE_OF), letter.position.encode()),)
    batch = [named("a", 0, partition=2), named("a", 1, partition=2, headers=headers)]

    assert find_duplicates(worker_with([letter])[0], batch) == set()


def test_an_id_is_read_even_if_the_rest_of_the_request_is_invalid():
    def of(value, max_bytes=None):
        return read_id(Record("t", 0, 0, None, value), max_bytes)

    assert of(b'{"id": "a", "features": 7}') == "a"
    assert of(b'{"id": ""}') is None
    assert of(b"rubbish") is None
    assert of(None) is None
    assert of(b'{"id": "a"}', max_bytes=3) is None
