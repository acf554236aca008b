"""Rates, latencies and answers by version, from the records of a stream in any order."""

from collections import defaultdict
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Header
from modstream.dashboard.figures import StreamFigures
from modstream.dashboard.stream_counts import MAX_VERSIONS, intervals
from modstream.dashboard.window import BUCKET_MS, HISTORY_MS, history_start

STEP_S = BUCKET_MS / 1000


def figures_of(story, records=None, now=None):
    figures = StreamFigures(story.topics, story.route)
    figures.add(story.records if records is None else records, now or story.now)
    return figures


def series_of(figures, now, seconds=600, points=600):
    return figures.read(lambda one: one.counts.series(now, seconds, points), now)


def totals_of(figures, now):
    return figures.read(lambda one: one.counts.totals(history_start(now), now), now)


def test_each_kind_of_record_is_counted_at_its_time(story):
    for number in range(50):
        story.flight(f"{number}", after=32)
    story.reject(story.ask("odd", model="ghost"), "ghost")
    story.dead_letter(story.ask("bad", b"{"))
    now = story.now + BUCKET_MS

    series = series_of(figures_of(story), now)
    totals = totals_of(figures_of(story), now)

    assert series.step == BUCKET_MS
    assert len(series.requests) == len(series.p50) == 60
    assert sum(series.requests) * STEP_S == pytest.approx(52)
    assert sum(series.answers) * STEP_S == pytest.approx(100)
    assert (totals.requests, totals.answers, totals.refusals) == (52, 100, 1)
    assert (totals.dead_letters, totals.labels) == (1, 50)
    assert (totals.p50, totals.p99) == (32, 32)


def test_the_running_interval_is_in_the_totals_and_not_in_the_series(story):
    story.ask("one")
    now = story.now

    assert sum(series_of(figures_of(story), now).requests) == 0
    assert totals_of(figures_of(story), now).requests == 1


def test_copies_of_labels_in_another_partition_are_not_counted(story):
    story.label("one")
    (label,) = story.broker.read(story.topics.labels)
    copy = label._replace(headers=((Header.FORWARDED_FROM, b"flights.labels:0:0"),), offset=1)

    assert totals_of(figures_of(story, [label, copy]), story.now).labels == 1


def test_figures_do_not_depend_on_the_order_of_the_partitions(story):
    story.season(600, days=1, swaps=5)
    records, now = story.records, story.now + 5000
    by_partition = defaultdict(list)
    for record in records:
        by_partition[record.topic_partition].append(record)
    others = Random(3).sample(sorted(by_partition), len(by_partition))
    shuffled = [record for partition in others for record in by_partition[partition]]

    first, second = figures_of(story, records, now), figures_of(story, shuffled, now)

    assert series_of(first, now) == series_of(second, now)
    assert sum(series_of(first, now).requests) > 0
    for version in range(1, 4):
        assert first.counts.answers("online", version, now) > 0
        assert first.counts.answers("online", version, now) == second.counts.answers(
            "online", version, now
        )


def test_a_stream_followed_for_hours_has_the_figures_of_one_read_at_once(story):
    """One fold gets each record when it is written, and the other all of them at the end."""
    followed = StreamFigures(story.topics, story.route)
    hours, read = 9, 0
    for _ in range(hours * 12):
        story.now += 300_000
        story.flight(f"at {story.now}", after=40)
        records = sorted(story.records, key=lambda one: one.timestamp)
        followed.add(records[read:], story.now)
        read = len(records)
    now = story.now + 1000

    again = figures_of(story, now=now)

    assert series_of(followed, now, 6 * 3600, 2160) == series_of(again, now, 6 * 3600, 2160)
    assert totals_of(followed, now) == totals_of(again, now)
    assert totals_of(again, now).requests == pytest.approx(6 * 12, abs=1)
    assert followed.counts.answers("online", 1, now) == again.counts.answers("online", 1, now)


def test_old_intervals_are_forgotten(story):
    figures = StreamFigures(story.topics, story.route)
    for _ in range(20):
        story.now += 3_600_000
        figures.add([story.ask("same")], story.now)

    assert len(figures.counts._counts.requests._counts) <= 7


def test_records_of_impossible_times_are_left_out_and_counted(story):
    asked = story.ask("one")
    future = asked._replace(timestamp=story.now + HISTORY_MS + BUCKET_MS, offset=1)
    past = asked._replace(timestamp=1000, offset=2)

    figures = figures_of(story, [asked, future, past])

    assert totals_of(figures, story.now).requests == 1
    assert figures.counts.left_out == 2


def test_a_request_from_the_near_future_is_counted_when_its_time_has_come(story):
    asked = story.ask("one")
    figures = figures_of(story, [asked._replace(timestamp=story.now + 60_000)])

    assert totals_of(figures, story.now).requests == 0
    assert totals_of(figures, story.now + 60_000).requests == 1


def test_models_beyond_the_limit_count_as_others_and_versions_are_bounded(story):
    asked = story.ask("one")
    for number in range(400):
        story.answer(asked, f"model-{number}", version=number + 1)

    figures = figures_of(story)

    assert len(figures.counts.versions()) <= MAX_VERSIONS
    assert "others" in {one.name for one in figures.counts.versions()}
    assert len({one.name for one in figures.counts.versions()}) == 51
    assert figures.counts.answers("others", None, story.now) == 350


def test_the_rate_of_a_version_is_that_of_the_last_whole_minute(story):
    story.now = story.now // 60_000 * 60_000
    for _ in range(6):
        story.now += 1000
        story.answer(story.ask("one"), "online", version=3)

    counts = figures_of(story).counts

    assert counts.rate("online", 3, story.now) == 0
    assert counts.rate("online", 3, story.now + 60_000) == pytest.approx(0.1)
    assert counts.rate("online", None, story.now + 60_000) == pytest.approx(0.1)
    assert counts.rate("frozen", None, story.now + 60_000) == 0


def test_the_payload_of_predictions_is_not_decoded(story):
    """A prediction that no decoder reads is counted, and matched by the position at its end."""
    asked = story.ask("one")
    value = b'not json {"source":{"topic":"flights.requests","partition":%d,"offset":%d}}' % (
        asked.partition,
        asked.offset,
    )
    headers = ((Header.KIND, b"prediction"), (Header.MODEL, b"online/7"))
    answer = story.broker.append(
        ProducerRecord(story.topics.predictions, b"one", value, headers, asked.timestamp + 64)
    )

    figures = figures_of(story, [asked, answer])

    assert totals_of(figures, story.now + 100).p50 == 64
    assert figures.counts.answers("online", 7, story.now) == 1
    assert figures.unreadable == 0


@given(
    now=st.integers(10**12, 2 * 10**12),
    seconds=st.integers(-5, 10**6),
    points=st.integers(-1, 5000),
)
def test_intervals_are_whole_and_within_the_history(now, seconds, points):
    step, start, end = intervals(now, seconds, points)

    assert step % BUCKET_MS == 0
    assert start % step == end % step == 0
    assert history_start(now) <= start or start > end
    assert now - step < end <= now
    assert (end - start) // step <= max(points, 1)
