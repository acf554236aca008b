"""State on disk is that in memory, bit by bit, whatever is killed, aborted, evicted or expired."""

import struct
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.broker.wire.records import Record
from modstream.processors.aggregate.disk.open_table import MAX_AGE_S, TopicState, open_table
from modstream.processors.aggregate.disk.rows import ByGroup, ByOwner
from modstream.processors.aggregate.handler import WATERMARK_EVENTS
from modstream.processors.aggregate.served import ServedFeatures
from modstream.processors.errors import StateInUse, TooManyPartials
from modstream.processors.features.events import PartialKey
from modstream.processors.features.row_origin import RowOrigins
from tests.processors.aggregate.feature_log import TOPICS, DiskWorker, Log
from tests.processors.aggregate.records import label, request

MINUTE, HOUR = 60_000, 3_600_000
DEFINITIONS = b"""
[[features]]
name = "{aggregate}_{group}"
source = "labels"
groups = [[], ["@key"], ["airport", "@key"]]
window = "2h"
slice = "10m"
aggregates = ["sum", "max", "last", "distinct", "quantile", "rate"]
value = "label"
quantile = 0.5

[[features]]
name = "asked"
source = "requests"
group = ["@key"]
window = "1h"
aggregate = "count"

[[features]]
name = "open"
source = "labels"
group = ["@key"]
window = "2h"
aggregate = "overdue"
due_after = "10m"
"""
KEYS = [b"a", b"b", b"c"]
VALUES = [0.1, -2.5, 1e16, True]


def records(random, firsts, size, start):
    """Return a batch of labels and requests of some partitions, from the given offsets on."""
    found = []
    for _ in range(size):
        partition = random.randrange(2)
        make = random.choice((label, request))
        name = (TOPICS.feedback if make is label else TOPICS.predictions, partition)
        offset = firsts.get(name, 0)
        firsts[name] = offset + 1
        time = start + random.randrange(2 * HOUR)
        airport = random.choice("AB")
        if make is label:
            one = label(offset, random.choice(VALUES), time, features={"airport": airport})
        else:
            one = request(offset, airport, time)
        found.append(one._replace(partition=partition, key=random.choice(KEYS)))
    return found


def bits(served, random, earliest):
    """Return the bits of all features for some requests that are not too late."""
    rows = [{"airport": random.choice("ABC")} for _ in range(4)]
    times = [earliest + random.randrange(5 * HOUR) for _ in rows]
    keys = [random.choice([*KEYS, b"new"]) for _ in rows]
    found = served.of_rows(served.features.names, rows, RowOrigins(times, lambda: keys))
    return [
        {name: None if one is None else struct.pack("<d", one) for name, one in row.items()}
        for row in found
    ]


class Pair:
    """An aggregator in memory and one on disk, which read the same records."""

    def __init__(self, folder):
        self.memory, self.disk = Log(DEFINITIONS), Log(DEFINITIONS, folder)
        self.folder = self.disk.new_folder()
        self.counts = None
        self.restart()

    def restart(self):
        """Kill both aggregators, and start them again."""
        if self.counts is not None:
            self.counts._table.close()
        self.counts = self.disk.counts(self.folder)
        self.handlers = self.memory.handler(), self.disk.handler(counts=self.counts)

    def handle(self, batch, *, commit):
        for log, handle in zip((self.memory, self.disk), self.handlers, strict=True):
            result = handle(batch)
            if commit:
                log.commit(result.records)


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32), cache=st.sampled_from([1, 3000, 1 << 20]))
def test_aggregators_and_workers_on_disk_have_the_bits_of_those_in_memory(
    tmp_path_factory, seed, cache
):
    random, folder = Random(seed), tmp_path_factory.mktemp("copies")
    pair = Pair(folder)
    served = ServedFeatures(pair.memory.features, pair.memory.codec)
    worker = DiskWorker(pair.disk, folder / "worker", cache)
    firsts: dict = {}
    earliest = 0
    for round_ in range(10):
        before = dict(firsts)
        is_committed = random.random() < 0.7
        batch = records(random, firsts, random.randrange(1, 40), round_ * HOUR)
        pair.handle(batch, commit=is_committed)
        earliest = max(earliest, *(one.watermark or 0 for one in pair.handlers))
        if not is_committed:
            firsts = before
        if random.random() < 0.2:
            pair.restart()
        if random.random() < 0.2:
            worker.close()
            worker = DiskWorker(pair.disk, folder / "worker", cache)
        served.apply(pair.memory.records[served.offset :])
        found = worker.update(keep=random.random() < 0.8)
        state = random.getstate()
        expected = bits(served, random, earliest)
        random.setstate(state)
        assert bits(found, random, earliest) == expected
    for round_ in (10, 11, 12):
        pair.handle(records(random, firsts, WATERMARK_EVENTS, round_ * HOUR), commit=True)
    kept = [
        {name: one for name, one in log.partials().items() if pair.counts._is_kept(name[1])}
        for log in (pair.memory, pair.disk)
    ]
    assert kept[0] == kept[1]
    assert len(pair.disk.partials()) < len({one.key for one in pair.disk.records})
    worker.close()
    pair.counts._table.close()


def test_more_partial_aggregates_than_allowed_end_the_aggregator(tmp_path):
    for folder in (None, tmp_path):
        log = Log(DEFINITIONS, folder, limit=3)
        handler = log.handler()
        first, second = ([request(at)._replace(key=b"%d" % at)] for at in range(2))
        log.commit(handler(first).records)
        with pytest.raises(TooManyPartials, match="more than the 3 that"):
            handler(second * 2)


def test_removal_continues_after_an_aborted_batch(tmp_path):
    for folder in (None, tmp_path):
        log = Log(DEFINITIONS, folder)
        handler = log.handler()
        log.commit(handler([request(0)]).records)
        late = [request(1 + at, time=9 * HOUR) for at in range(WATERMARK_EVENTS)]
        handler(late)
        log.commit(handler(late).records)

        assert {key.slice for _, key in log.partials()} == {9 * 60, 9 * 30 + 5}


@pytest.mark.parametrize(
    ("topic", "age", "is_kept"),
    [
        (TopicState("id", 0, 5), 0, True),
        (TopicState("other", 0, 5), 0, False),
        (TopicState("id", 0, 1), 0, False),
        (TopicState("id", 3, 5), 0, False),
        (TopicState("id", 0, 5), MAX_AGE_S + 1, False),
    ],
)
def test_a_copy_is_continued_only_from_its_own_topic(tmp_path, topic, age, is_kept):
    now = [1000.0]
    table = open_table(tmp_path / "copy", ByOwner(), TopicState("id", 0, 0), lambda: now[0])
    table.apply([Record("t", 0, 1, b'["owner"]', b"7")])
    table.close()
    now[0] += age

    again = open_table(tmp_path / "copy", ByOwner(), topic, lambda: now[0])

    assert (again.offset, again.next_offset("owner")) == ((2, 7) if is_kept else (0, 0))
    again.close()


def test_a_damaged_copy_and_one_of_another_order_are_built_anew(tmp_path):
    state = TopicState("id", 0, 9)
    table = open_table(tmp_path / "copy", ByOwner(), state)
    table.apply([Record("t", 0, 1, b'["owner"]', b"7")])
    with pytest.raises(StateInUse, match="another process"):
        open_table(tmp_path / "copy", ByOwner(), state)
    table.close()
    other = open_table(tmp_path / "copy", ByGroup(), state)
    assert other.offset == 0
    other.close()
    (tmp_path / "copy" / "db" / "CURRENT").write_text("damaged")

    again = open_table(tmp_path / "copy", ByGroup(), state)

    assert again.offset == 0
    again.close()


def test_rows_are_read_as_they_were_written():
    key = PartialKey("0123456789ab", ("a", "é"), -3)
    order = ByOwner()
    row = order.row("backfill:t:0", key)
    assert order.parse("backfill:t:0", row) == key
    assert order.aggregation("backfill:t:0", row) == key.aggregation
    start, end = order.bounds("backfill:t:0", key.aggregation, -2)
    assert start <= row < end
    assert row >= order.bounds("backfill:t:0", key.aggregation, -3)[1]
    found = ByGroup().parse(ByGroup().row("t:0", key))
    assert found == (key.aggregation, -3, "t:0")


def test_foreign_records_are_counted_and_not_kept(tmp_path):
    table = open_table(tmp_path / "copy", ByGroup(), TopicState("id", 0, 9))
    keys = [None, b'["o","xyz",["g"],1]', b'["o","0123456789ab",["g"],99999999999999999999]']
    table.apply([Record("t", 0, at, key, b"1") for at, key in enumerate(keys)])

    assert table.offset == 3
    assert table.unreadable == 2
    table.close()
