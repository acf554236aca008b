"""What every store of entries does, in memory and on disk."""

from dataclasses import replace
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.broker.wire.contracts import UnjoinedReason
from modstream.processors.join.answers import Unlabellable
from modstream.processors.join.entries import MemoryEntries
from modstream.processors.join.entry import (
    ENTRY_ADAPTER,
    FIRST_ROW_WAITING,
    HeldLabel,
    JoinEntry,
    JoinState,
    expiry_time,
)
from modstream.processors.join.entry_store import OffsetRange
from modstream.processors.join.settings import EntryLimits
from tests.processors.join.entry_stores import open_disk
from tests.processors.join.join_log import HORIZON, row_prediction
from tests.processors.join.join_log import prediction as message

SCORED = row_prediction(message()).scored


@pytest.fixture(params=["memory", "disk"])
def open_store(request, tmp_path):
    """Return a function that opens a store with limits."""
    opened = []

    def open_with(limits=EntryLimits()):  # noqa: B008 - a tuple
        if request.param == "memory":
            return MemoryEntries(HORIZON, limits)
        stores = open_disk(tmp_path, limits)
        opened.append((stores, stores.open(0)))
        return opened[-1][1]

    yield open_with
    for stores, store in opened:
        store.close()
        stores.__exit__()


def predicted(name="a", at=0, row=0, size=10):
    return JoinEntry(
        name, row=row, rows=1, event_time=at, predictions=(SCORED,), models=("m",), size=size
    )


def waiting(name="a", at=0, row=0, size=10):
    return JoinEntry(name, row=row, label=HeldLabel("yes", at), size=size)


def commit(store, *entries, removed=()):
    """Put entries and commit them, as after a write to the changelog."""
    for entry in entries:
        store.put(entry.row_key, entry)
    for key in removed:
        store.put(key, None)
    rows = [
        (encoded(e.row_key), ENTRY_ADAPTER.dump_json(e, exclude_defaults=True)) for e in entries
    ]
    rows += [(encoded(key), None) for key in removed]
    start = store.next_offset or 0
    store.commit(rows, OffsetRange(start, start + len(rows)))


def encoded(key):
    return key.encode(errors="surrogateescape")


def drain(store, watermark=10**15):
    """Remove what is due, and return it in its order."""
    found = []
    while (entry := store.pop_due(watermark)) is not None:
        found.append(entry.row_key)
        store.put(entry.row_key, None)
    return found


@pytest.mark.parametrize("is_committed", [True, False])
def test_entry_is_found_until_it_is_removed(open_store, is_committed):
    store = open_store()
    store.put("a", predicted())
    if is_committed:
        commit(store, predicted())

    found = store.get("a"), store.get("b"), dict(store.snapshot())
    store.put("a", None)

    assert found == (predicted(), None, {"a": predicted()})
    assert store.get("a") is None
    assert store.snapshot() == {}
    assert store.open_count == 0


def test_entries_are_due_in_the_order_of_their_times_whenever_they_came(open_store):
    store = open_store()
    commit(store, predicted("c", at=30), predicted("a", at=10), waiting("z", at=-5))
    commit(store, predicted("b", at=20))
    store.put("d", predicted("d", at=15))

    assert store.pop_due(HORIZON - 5) is None
    assert drain(store, HORIZON + 20) == ["z", "a", "d"]
    assert drain(store) == ["b", "c"]


def test_entry_whose_time_has_changed_is_due_at_the_new_time(open_store):
    store = open_store()
    commit(store, predicted("a", at=10), predicted("b", at=20))
    commit(store, replace(predicted("a", at=10), state=JoinState.GIVEN_UP))

    assert drain(store) == ["b", "a"]


def test_more_entries_than_are_read_ahead_are_due_in_order(open_store):
    store = open_store()
    names = [f"n{number:04}" for number in range(600)]
    commit(store, *(predicted(name, at=number) for number, name in enumerate(names)))
    early = drain(store, HORIZON + 300)
    commit(store, removed=early)
    commit(store, predicted("late", at=50))

    assert early == names[:300]
    assert drain(store) == ["late", *names[300:]]


def test_entries_that_are_read_ahead_are_those_that_are_read_alone(open_store):
    store = open_store()
    commit(store, *(predicted(name) for name in "abcd"))
    commit(store, removed=["d"])
    store.put("a", None)
    store.put("b", predicted("b", at=7))

    store.read_ahead(["a", "b", "c", "d", "unknown", "c"])
    store.put("e", predicted("e"))

    found = {name: store.get(name) for name in ("a", "b", "c", "d", "e", "unknown")}
    assert found == {
        "a": None,
        "b": predicted("b", at=7),
        "c": predicted("c"),
        "d": None,
        "e": predicted("e"),
        "unknown": None,
    }
    assert store.open_count == 3


def test_large_entries_are_read_although_none_is_read_ahead(open_store):
    store = open_store()
    names = [f"n{number}" for number in range(8)]
    commit(store, *(predicted(name, size=1_000_000) for name in names))

    store.read_ahead(names)

    assert [store.get(name).id for name in names] == names
    assert drain(store) == names


def test_oldest_entries_are_evicted_in_the_order_in_which_they_came(open_store):
    store = open_store(EntryLimits(max_entries=2))
    commit(store, predicted("b", at=9), predicted("a", at=5))
    commit(store, predicted("b", at=1), predicted("c", at=0))

    entry, detail = store.next_evicted()
    store.put(entry.row_key, None)

    assert entry.row_key == "b"
    assert detail == "evicted: more than 2 rows are kept"
    assert store.next_evicted() is None


def test_waiting_labels_are_evicted_before_predictions_and_by_size(open_store):
    store = open_store(EntryLimits(max_orphan_bytes=1500))
    commit(store, predicted("p"), waiting("x"), waiting("y"))
    store.put("z", waiting("z", size=400))

    entry, detail = store.next_evicted()

    assert entry.row_key == "x"
    assert "1,500 bytes" in detail


def test_oldest_waiting_label_is_the_first_that_still_waits(open_store):
    store = open_store()
    commit(store, predicted("p"), waiting("x"), waiting("y"))
    before = store.oldest_orphan()
    commit(store, replace(waiting("x"), models=("m",), state=JoinState.JOINED, event_time=0))
    after = store.oldest_orphan()
    commit(store, removed=["y"])

    assert (before.id, after.id, store.oldest_orphan()) == ("x", "y", None)
    assert store.orphan_count == 0


def test_rows_of_a_request_are_found_by_its_id(open_store):
    store = open_store()
    rows = [predicted("a", row=row) for row in (0, 3, 1, 2000, FIRST_ROW_WAITING)]
    commit(store, *rows, predicted("b", row=1))
    commit(store, removed=[rows[2].row_key])
    store.put("2\udcffa", predicted("a", row=2))

    keys = list(store.rows_of("a"))

    assert keys == ["a", "-1\udcffa", "2\udcffa", "3\udcffa", "2000\udcffa"]
    assert list(store.rows_of("unknown")) == ["unknown"]


def test_untold_requests_are_taken_once(open_store):
    store = open_store()
    store.add_untold(["a", "b"])
    commit(store, predicted("x"))
    store.add_untold(["c", "a"])

    assert set(store.take_untold()) == {"a", "b", "c"}
    assert not store.take_untold()


NAMES = st.sampled_from("abcde")
TIMES = st.integers(-50, 300)
ENTRIES = st.builds(
    lambda kind, name, at, row, size: replace(kind(name, at, row), size=size),
    st.sampled_from(
        [
            predicted,
            waiting,
            lambda *where: replace(predicted(*where), state=JoinState.GIVEN_UP),
            lambda *where: replace(
                predicted(*where), label=HeldLabel(1, 5), state=JoinState.JOINED
            ),
            lambda *where: replace(waiting(*where), event_time=3, unlabellable=PROBLEM),
        ]
    ),
    NAMES,
    TIMES,
    st.integers(-1, 2),
    st.integers(0, 2000),
)
PROBLEM = Unlabellable(UnjoinedReason.REFUSED, "no")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), ENTRIES),
        st.tuples(st.just("put"), ENTRIES),
        st.tuples(st.just("remove"), NAMES, st.integers(-1, 2)),
        st.tuples(st.just("due"), TIMES),
        st.tuples(st.just("evict")),
        st.tuples(st.just("commit")),
        st.tuples(st.just("reopen")),
    ),
    max_size=60,
)


class Twins:
    """A store in memory and one on disk to which the same is done."""

    def __init__(self, stores, limits):
        self.stores = stores
        self.memory = MemoryEntries(HORIZON, limits)
        self.disk = stores.open(0)
        self.changed = {}

    def put(self, entry):
        self._put(entry.row_key, entry)

    def remove(self, name, row):
        self._put(predicted(name, row=row).row_key, None)

    def due(self, watermark):
        found = self.memory.pop_due(watermark), self.disk.pop_due(watermark)
        # Entries of the same time are due in any order.
        assert [one and expiry_time(one, HORIZON) for one in found[:1]] == [
            one and expiry_time(one, HORIZON) for one in found[1:]
        ]
        if found[1] is not None:
            self._put(found[1].row_key, None)

    def evict(self):
        found = self.memory.next_evicted(), self.disk.next_evicted()
        assert found[0] == found[1]
        if found[1] is not None:
            self._put(found[1][0].row_key, None)

    def commit(self):
        rows = [
            (encoded(key), entry and ENTRY_ADAPTER.dump_json(entry, exclude_defaults=True))
            for key, entry in self.changed.items()
        ]
        start = self.disk.next_offset or 0
        self.disk.commit([*rows, (b"", b"state")], OffsetRange(start, start + len(rows) + 1))
        self.changed.clear()

    def reopen(self):
        self.commit()
        self.disk.close()
        self.disk = self.stores.open(0)
        assert self.disk.state_row == b"state"

    def check(self):
        assert self.disk.snapshot() == self.memory.by_key
        assert self.disk.open_count == self.memory.open_count
        assert self.disk.orphan_count == self.memory.orphan_count
        assert self.disk.oldest_orphan() == self.memory.oldest_orphan()
        for name in "abcde":
            known = [key for key in self.memory.rows_of(name) if self.memory.get(key)]
            assert [key for key in self.disk.rows_of(name) if self.disk.get(key)] == known

    def _put(self, key, entry):
        self.memory.put(key, entry)
        self.disk.put(key, entry)
        self.changed[key] = entry


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_store_on_disk_is_as_the_one_in_memory(steps):
    limits = EntryLimits(max_orphans=2, max_entries=5, max_entry_bytes=8000)
    with TemporaryDirectory() as folder, open_disk(folder, limits) as stores:
        twins = Twins(stores, limits)
        try:
            for method, *arguments in steps:
                getattr(twins, method)(*arguments)
                twins.check()
        finally:
            twins.disk.close()
