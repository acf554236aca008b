"""Which requests repeat an earlier one, whatever happened to the worker in between."""

from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.records import Record, TopicPartition, first_offsets
from modstream.broker.wire.topics import Header
from modstream.processors.predict.deduplication import Repeats, Window, identify
from tests.processors.small_fixtures import record

SIZE = 5
LETTERS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60)


def by_definition(ids):
    """The offsets whose id stands among the SIZE offsets before."""
    return {at for at, each in enumerate(ids) if each in ids[max(0, at - SIZE) : at]}


def named(request_id, offset, partition=0, headers=()):
    value = encode(Request(id=request_id, features={"x": 1.0}))
    return record(value, offset, partition=partition, headers=headers)


@given(LETTERS)
def test_a_repeat_is_an_id_that_stands_among_the_last_offsets(ids):
    window = Window(SIZE)

    assert {at for at, each in enumerate(ids) if window.repeats(at, each)} == by_definition(ids)


@given(LETTERS, st.lists(st.integers(1, 20), min_size=60))
def test_ids_noted_by_the_batch_repeat_like_ids_noted_one_by_one(ids, sizes):
    window, at, found = Window(SIZE), 0, set()
    for size in sizes:
        batch = range(at, min(at + size, len(ids)))
        if batch:
            found |= {batch[n] for n in window.note(batch, ids[batch.start : batch.stop])}
        at += size

    assert found == by_definition(ids)


@given(LETTERS, st.lists(st.tuples(st.integers(1, SIZE), st.integers(1, 3)), min_size=60))
def test_reading_batches_again_after_a_rewind_finds_the_same(ids, schedule):
    window, at, found = Window(SIZE), 0, {}
    for batch, times in schedule:
        for _ in range(times):
            for offset in range(at, min(at + batch, len(ids))):
                found[offset] = window.repeats(offset, ids[offset])
        at += batch

    assert {at for at, again in found.items() if again} == by_definition(ids)


@given(LETTERS, st.integers(0, 59))
def test_a_worker_that_begins_in_the_middle_finds_the_same(ids, begin):
    log = [named(each, at) for at, each in enumerate(ids)]
    worker = Repeats(SIZE, lambda spans: read(log, spans), lambda _home: 1)
    rest = log[begin:]
    worker.prepare(first_offsets(rest))

    again = {rest[at].offset for at in worker.admit(rest, [identify(r) for r in rest])}

    assert again == {at for at in by_definition(ids) if at >= begin}
    assert worker.found == len(again)


def read(log, spans):
    ((begin, end),) = spans.values()
    return log[begin:end]


def test_a_partition_that_was_away_is_looked_back_on_again():
    tenures, spans = {0: 1, 1: 1}, []

    def lookback(asked):
        spans.append(dict(asked))
        return []

    worker = Repeats(SIZE, lookback, lambda home: tenures[home.partition])
    homes = [TopicPartition("s.requests", number) for number in (0, 1)]
    worker.prepare(first_offsets([named("a", 20, 0), named("b", 3, 1)]))
    worker.prepare(first_offsets([named("c", 21, 0), named("d", 4, 1)]))
    tenures[1] = 2
    worker.prepare(first_offsets([named("e", 22, 0), named("f", 40, 1)]))

    assert spans == [{homes[0]: (15, 20), homes[1]: (0, 3)}, {homes[1]: (35, 40)}]


def test_a_record_sent_again_from_the_dead_letters_is_no_repeat():
    worker = Repeats(SIZE, lambda _: [], lambda _home: 1)
    first, again = named("a", 0), named("a", 1, headers=((Header.REDRIVE_OF, b"s.dlq:0:7"),))
    worker.prepare(first_offsets([first, again]))

    assert not worker.admit([first, again], ["a", "a"])


def test_an_id_is_read_where_the_rest_is_broken_and_nowhere_else():
    def of(value, largest=None):
        return identify(Record("t", 0, 0, None, value), largest)

    assert of(b'{"id": "a", "features": 7}') == "a"
    assert of(b'{"id": ""}') is None
    assert of(b"rubbish") is None
    assert of(None) is None
    assert of(b'{"id": "a"}', largest=3) is None
