"""The plan of a history: each offset is in exactly one slice, the newest slices first."""

from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.records import Record, TopicPartition
from modstream.dashboard.history_plan import MIN_SLICE_RECORDS, Slice, plan_slices

PARTITIONS = [TopicPartition("a", 0), TopicPartition("a", 1), TopicPartition("b", 0)]


@st.composite
def histories(draw):
    """Return rising offsets of each partition at some times, and the ends."""
    count = draw(st.integers(1, 8))
    size = st.integers(0, draw(st.sampled_from([3, 40_000, 200_000])))
    offsets = {one: [0] for one in PARTITIONS}
    for one in PARTITIONS:
        for _ in range(count):
            offsets[one].append(offsets[one][-1] + draw(size))
    starts = [(1000 * n, {one: offsets[one][n] for one in PARTITIONS}) for n in range(count)]
    return starts, {one: offsets[one][count] for one in PARTITIONS}


@given(histories())
def test_slices_cover_each_offset_once_backwards(history):
    starts, ends = history

    slices = plan_slices(starts, ends)

    stops = dict(ends)
    for one in slices:
        for partition, (first, stop) in one.ranges.items():
            assert first < stop == stops[partition]
            stops[partition] = first
    assert stops == starts[0][1]
    assert [one.start for one in slices] == sorted((one.start for one in slices), reverse=True)
    assert slices[-1].start == starts[0][0]


@given(histories())
def test_a_slice_with_few_records_is_read_together_with_older_ones(history):
    starts, ends = history

    slices = plan_slices(starts, ends)

    assert all(one.size >= MIN_SLICE_RECORDS for one in slices[:-1])


def test_offsets_beyond_the_ends_are_not_read():
    """An offset that was found after the ends were read may lie behind them."""
    (one,) = plan_slices([(0, {PARTITIONS[0]: 7})], {PARTITIONS[0]: 5})

    assert one.ranges == {}


def records(partition, *offsets):
    return [Record(*partition, offset, None, None) for offset in offsets]


def test_records_of_a_slice_are_selected_once():
    one = Slice(0, {PARTITIONS[0]: (10, 13), PARTITIONS[1]: (0, 5)})

    first = one.select([*records(PARTITIONS[0], 10, 11), *records(PARTITIONS[1], 0)])
    second = one.select(records(PARTITIONS[0], 12, 13, 14))

    assert [record.offset for record in first] == [10, 11, 0]
    assert [record.offset for record in second] == [12]
    assert one.ranges == {PARTITIONS[1]: (1, 5)}
    assert one.select(records(PARTITIONS[0], 15)) == []
    one.note_topic("a")
    assert one.size == 0
