"""The replay: event-time order, speed, back-pressure and the records in the topics."""

import json
from dataclasses import asdict
from datetime import date
from threading import Event as Signal
from time import monotonic

import pandas as pd
import pytest

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Label, Request
from modstream.producers.records.bad_records import BAD_RECORDS, TOO_LARGE
from modstream.producers.replay.flights import BoardEntry, board_between, flights_between
from modstream.producers.replay.pacing import ReplayClock, ReplayProgress, hold_for_learner
from modstream.producers.replay.replay import (
    BoardEvent,
    EventKind,
    Replay,
    ReplayControls,
    ReplayPlan,
    timeline,
    with_board,
)

AT_ONCE = ReplayPlan(speed_up=1e12)
HOUR = 3_600_000


def test_a_timeline_merges_requests_and_labels_in_event_time_order(make_flight):
    flights = [make_flight("a", 0, 50), make_flight("b", 10, 30), make_flight("c", 40, 60)]

    events = [
        (event.event_time // 60_000, event.kind.value, event.flight.id)
        for event in timeline(flights)
    ]

    assert events == [
        (0, "request", "a"),
        (10, "request", "b"),
        (30, "label", "b"),
        (40, "request", "c"),
        (50, "label", "a"),
        (60, "label", "c"),
    ]


def test_a_flight_that_never_lands_has_a_request_and_no_label(make_flight):
    events = list(timeline([make_flight("cancelled", 0)]))

    assert [event.kind for event in events] == [EventKind.REQUEST]


@pytest.mark.slow
def test_a_week_of_real_flights_is_ordered_and_every_label_follows_its_request(frame):
    week = list(flights_between(frame, date(2013, 6, 1), date(2013, 6, 8)))

    events = list(timeline(week))

    times = [event.event_time for event in events]
    requested = set()
    assert times == sorted(times)
    for event in events:
        if event.kind is EventKind.REQUEST:
            requested.add(event.flight.id)
        else:
            assert event.flight.id in requested
    landed = sum(flight.landed_ms is not None for flight in week)
    assert len(events) == len(week) + landed


def test_requests_and_labels_are_in_their_topics_with_the_same_key(stream, topics, make_flight):
    flights = [make_flight("a", 0, 50), make_flight("b", 10)]

    progress = Replay(stream, topics, AT_ONCE).run(timeline(flights))

    requests = stream.broker.read(topics.requests)
    labels = stream.broker.read(topics.labels)
    first = decode(Request, requests[0].value)
    assert [record.key for record in requests] == [b"key-of-a", b"key-of-b"]
    assert first.features == flights[0].features
    assert first.event_time == 0
    assert labels[0].key == b"key-of-a"
    assert decode(Label, labels[0].value) == Label(id="a", label=True, event_time=50 * 60_000)
    assert progress == ReplayProgress(
        requests=2, labels=1, first_event_time=0, event_time=50 * 60_000, label_time=50 * 60_000
    )
    assert len(stream.flushes) == 1


def test_the_kafka_timestamp_is_never_the_event_time(stream, topics, make_flight):
    Replay(stream, topics, AT_ONCE).run(timeline([make_flight("a", 22_000_000, 22_000_060)]))

    sent = stream.broker.read(topics.requests) + stream.broker.read(topics.labels)
    assert all(record.timestamp < 22_000_000 * 60_000 for record in sent), "a past retention"


def test_the_replay_keeps_its_speed(stream, topics, make_flight):
    flights = [make_flight(str(minute), minute) for minute in range(0, 31, 10)]
    plan = ReplayPlan(speed_up=6000)

    started = monotonic()
    Replay(stream, topics, plan).run(timeline(flights))

    assert monotonic() - started == pytest.approx(30 * 60 / 6000, abs=0.15)


def test_time_spent_held_back_delays_later_events():
    now = [100.0]
    replay_clock = ReplayClock(first_ms=0, speed_up=10, clock=lambda: now[0])

    before = replay_clock.seconds_until(50_000)
    now[0] += 7
    replay_clock.postpone(7)

    assert before == 5.0
    assert replay_clock.seconds_until(50_000) == 5.0


def test_the_replay_waits_while_the_learner_is_too_far_behind(stream, topics, make_flight):
    flights = [make_flight("a", 0, 30), make_flight("b", 60, 90), make_flight("c", 500, 600)]
    learned: list[int] = []
    sent_at_each_call: list[int] = []

    def learned_up_to() -> int | None:
        sent_at_each_call.append(len(stream.broker.read(topics.requests)))
        if len(sent_at_each_call) > 5:
            learned.append(90 * 60_000)
        return learned[-1] if learned else None

    controls = ReplayControls(
        hold=hold_for_learner(learned_up_to, max_lag_ms=HOUR, pause_seconds=0.001)
    )
    progress = Replay(stream, topics, AT_ONCE, controls).run(timeline(flights))

    assert progress.requests == 3
    assert sent_at_each_call[3:6] == [2, 2, 2], "the third flight is held for some calls, then sent"


def test_a_night_without_flights_does_not_hold_the_replay_once_all_labels_are_learned():
    day_is_over = ReplayProgress(labels=9, first_event_time=0, event_time=HOUR, label_time=HOUR)

    hold = hold_for_learner(lambda: HOUR, max_lag_ms=1)

    assert hold(day_is_over, 2 * HOUR) == 0


def test_before_the_first_learned_label_the_lag_is_measured_from_the_first_event():
    hold = hold_for_learner(lambda: None, max_lag_ms=HOUR, pause_seconds=0.5)

    assert hold(ReplayProgress(), 0) == 0
    assert hold(ReplayProgress(labels=1, first_event_time=0, label_time=HOUR), HOUR) == 0
    late = ReplayProgress(labels=2, first_event_time=0, label_time=HOUR + 1)
    assert hold(late, HOUR + 1) == 0.5


def test_a_stopped_replay_ends_while_it_waits_for_the_next_event(stream, topics, make_flight):
    stop = Signal()

    def flights():
        yield make_flight("a", 0)
        stop.set()
        yield make_flight("b", 600_000)

    plan = ReplayPlan(speed_up=1)
    progress = Replay(stream, topics, plan, ReplayControls(stop=stop)).run(timeline(flights()))

    assert progress.requests == 1
    assert len(stream.flushes) == 1


def test_a_stopped_replay_ends_while_it_is_held_back(stream, topics, make_flight):
    stop = Signal()

    def hold(_: ReplayProgress, _due: int) -> float:
        stop.set()
        return 60.0

    controls = ReplayControls(stop=stop, hold=hold)
    progress = Replay(stream, topics, AT_ONCE, controls).run(timeline([make_flight("a", 0)]))

    assert progress.requests == 0


def test_progress_is_reported_at_the_end(stream, topics, make_flight):
    reports: list[ReplayProgress] = []

    progress = Replay(stream, topics, AT_ONCE, ReplayControls(report=reports.append)).run(
        timeline([make_flight("a", 0, 10)])
    )

    assert reports == [progress]


def test_bad_records_are_mixed_in_beside_the_good_ones(stream, topics, make_flight):
    flights = [make_flight(str(minute), minute) for minute in range(400)]
    plan = ReplayPlan(speed_up=1e12, bad_share=0.25)

    progress = Replay(stream, topics, plan).run(timeline(flights))

    sent = stream.broker.read(topics.requests)
    assert progress.requests == 400
    assert 60 < progress.bad_records < 140
    assert len(sent) == progress.requests + progress.bad_records
    good = {flight.id for flight in flights}
    assert good <= {r.id for r in map(decode_or_none, sent) if r is not None}
    assert TOO_LARGE not in plan.bad_kinds
    assert set(plan.bad_kinds) < set(BAD_RECORDS)


def decode_or_none(record):
    try:
        return decode(Request, record.value)
    except DecodeError:
        return None


def entry(name: str, minute: int, kind: str = "departure") -> BoardEntry:
    return BoardEntry(name, kind, minute * 60_000, 0, 3.0, "UA", "EWR", "ORD")


def test_entries_of_the_board_are_sent_ahead_of_their_time(make_flight):
    flights = timeline([make_flight("a", 0, 50), make_flight("b", 10)])

    events = list(with_board(flights, [entry("a", 12), entry("b", 70)], ahead_ms=20 * 60_000))

    assert [(one.due // 60_000, isinstance(one, BoardEvent)) for one in events] == [
        (-8, True), (0, False), (10, False), (50, True), (50, False)
    ]  # fmt: skip


def test_an_entry_of_the_board_is_a_json_object_in_its_own_topic(stream, topics, make_flight):
    flights = timeline([make_flight("a", 0)])
    events = with_board(flights, [entry("a", 5, "landing")], ahead_ms=0)

    progress = Replay(stream, topics, AT_ONCE, board_topic="flights.board").run(events)

    (record,) = stream.broker.read("flights.board")
    assert json.loads(record.value) == {
        "id": "a", "kind": "landing", "time": 300_000, "scheduled_ms": 0, "minutes": 3.0,
        "carrier": "UA", "origin": "EWR", "dest": "ORD",
    }  # fmt: skip
    assert (progress.requests, progress.event_time) == (1, 0)


def test_events_are_held_by_the_time_at_which_they_are_due(stream, topics, make_flight):
    asked = []

    def hold(_: ReplayProgress, due: int) -> float:
        asked.append(due // 60_000)
        return 0.0

    controls = ReplayControls(hold=hold)
    Replay(stream, topics, AT_ONCE, controls).run(timeline([make_flight("a", 3, 9)]))

    assert asked == [3, 9]


def test_the_board_is_cut_to_the_time_that_is_replayed():
    board = pd.DataFrame([asdict(entry(name, at)) for name, at in (("a", 1), ("b", 2), ("c", 9))])

    found = list(board_between(board, 120_000, 540_000))

    assert [one.id for one in found] == ["b", "c"]
    assert found[0] == entry("b", 2)
