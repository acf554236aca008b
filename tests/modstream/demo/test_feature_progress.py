"""Which events a replay waits for, as the topics say it."""

import json

from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.demo.feature_progress import WaitingEvents
from modstream.producers.replay.flights import BoardEntry, Flight
from modstream.producers.replay.pacing import (
    ReplayProgress,
    hold_for_all,
    hold_for_features,
    no_hold,
)
from modstream.producers.replay.replay import BoardEvent, EventKind, ReplayEvent

TOPICS = Topics("flights")
MINUTE = 60_000


def label(name: str, time: int) -> ReplayEvent:
    return ReplayEvent(time, EventKind.LABEL, Flight(name, "UA-1", {}, 0, time, late=True))


def feedback(offset: int, name: str, *, partition: int = 0, has_features: bool = True) -> Record:
    value = {"id": name, "label": True, "features": {"distance": 1.0} if has_features else None}
    return Record(TOPICS.feedback, partition, offset, None, json.dumps(value).encode())


def progress(owner: str, offset: int) -> Record:
    return Record(TOPICS.features, 0, 0, json.dumps([owner]).encode(), str(offset).encode())


def test_a_label_waits_until_its_feedback_is_counted():
    waiting = WaitingEvents(TOPICS)
    for name, time in (("a", 1), ("b", 2)):
        waiting.add(label(name, time))

    waiting.read(feedback(0, "a"))
    waiting.read(feedback(1, "b"))
    assert list(waiting.labels.values()) == [1, 2]

    waiting.read(progress("flights.feedback:0", 1))
    assert list(waiting.labels.values()) == [2]

    waiting.read(progress("flights.feedback:0", 2))
    assert not waiting.labels


def test_progress_may_be_read_before_the_feedback_that_it_counts():
    waiting = WaitingEvents(TOPICS)
    waiting.add(label("a", 1))

    waiting.read(progress("flights.feedback:3", 8))
    waiting.read(feedback(7, "a", partition=3))

    assert not waiting.labels


def test_feedback_of_another_partition_or_without_features_is_not_counted():
    waiting = WaitingEvents(TOPICS)
    waiting.add(label("a", 1))

    waiting.read(feedback(0, "a", has_features=False))
    waiting.read(feedback(0, "a", partition=1))
    waiting.read(progress("flights.feedback:0", 1))

    assert list(waiting.labels) == ["a"]


def test_a_request_waits_until_it_is_answered():
    waiting = WaitingEvents(TOPICS)
    waiting.add(ReplayEvent(7, EventKind.REQUEST, Flight("a", "UA-1", {}, 7, None, late=None)))
    assert list(waiting.requests.values()) == [7]

    waiting.read(Record(TOPICS.predictions, 0, 0, None, b'{"id": "a", "features": {"x": 1}}'))

    assert not waiting.requests


def test_a_label_that_is_not_joined_is_not_waited_for():
    waiting = WaitingEvents(TOPICS)
    waiting.add(label("a", 1))

    waiting.read(Record(TOPICS.unjoined, 0, 0, None, b'{"id": "a", "reason": "orphan"}'))

    assert not waiting.labels


def test_partial_aggregates_and_unreadable_records_say_nothing_of_progress():
    waiting = WaitingEvents(TOPICS)
    waiting.add(label("a", 1))
    waiting.read(feedback(0, "a"))

    key = json.dumps(["flights.feedback:0", "aggregation", ["EWR"], 5]).encode()
    for record in (
        Record(TOPICS.features, 0, 0, key, b"\x01"),
        Record(TOPICS.features, 0, 0, b"[", b"9"),
        Record(TOPICS.features, 0, 0, b'["flights.feedback:0"]', None),
        Record(TOPICS.feedback, 0, 5, None, b"no JSON"),
    ):
        waiting.read(record)

    assert list(waiting.labels) == ["a"]


def test_the_departure_and_the_landing_of_a_flight_are_two_entries():
    waiting = WaitingEvents(TOPICS)
    for kind, time in (("departure", 1), ("landing", 2)):
        waiting.add(BoardEvent(BoardEntry("a", kind, time, 0, 5.0, "UA", "EWR", "ORD"), 0))

    waiting.read(Record("flights.board", 0, 0, None, b'{"id": "a", "kind": "departure"}'))
    waiting.read(progress("flights.board:0", 1))

    assert list(waiting.entries.values()) == [2]


def test_the_replay_is_held_while_features_lack_events_from_long_before():
    oldest = [5 * MINUTE]
    hold = hold_for_features(lambda: oldest[0], max_lag_ms=10 * MINUTE, pause_seconds=0.5)

    assert hold(ReplayProgress(), 15 * MINUTE) == 0
    assert hold(ReplayProgress(), 15 * MINUTE + 1) == 0.5
    oldest[0] = 6 * MINUTE
    assert hold(ReplayProgress(), 15 * MINUTE + 1) == 0
    oldest[0] = None
    assert hold(ReplayProgress(), 90 * MINUTE) == 0


def test_an_event_is_held_as_long_as_one_of_several_hooks_holds_it():
    hold = hold_for_all(no_hold, hold_for_features(lambda: 0, 0, pause_seconds=0.5))

    assert hold(ReplayProgress(), 0) == 0
    assert hold(ReplayProgress(), 1) == 0.5
