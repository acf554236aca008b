"""The state of features: what is kept for whom, how large it is, and what is ignored."""

import tracemalloc

import pytest

from modstream.processors.features.events import Event, PartialKey
from modstream.processors.features.files import parse_features
from modstream.processors.features.reader import FeatureReader
from modstream.processors.features.state import FeatureState

HOUR = 3_600_000
FEATURES = parse_features(
    b"""
    [[features]]
    name = "count"
    source = "labels"
    group = ["user"]
    window = "2h"
    slice = "1h"
    aggregate = "count"

    [[features]]
    name = "users"
    source = "labels"
    window = "2h"
    slice = "1h"
    aggregate = "distinct"
    value = "user"
    """,
    "features.toml",
)
COUNT = next(name for name, one in FEATURES.aggregations.items() if one.kind == "count")


def key(user="u", number=0):
    return PartialKey(COUNT, (user,), number)


def label(time=0, user="u", number=0):
    return FEATURES.contributions(Event("labels", time, str(number), {"user": user}, 1))


def count(state, time=0, user="u"):
    return FeatureReader(state).values({"user": [user]}, [time])["count"].tolist()[0]


def test_the_keys_that_an_event_changes_are_returned():
    state = FeatureState(FEATURES)

    changed = state.add("a", label())

    assert key() in changed
    assert len(changed) == len(FEATURES.aggregations) == 2
    assert dict(state.items("a")).keys() == changed
    assert state.get("a", key()) == 1
    assert state.get("b", key()) is None


def test_a_value_is_replaced_for_its_owner_alone():
    state = FeatureState(FEATURES)
    state.add("a", label())
    state.add("b", label())
    assert count(state) == 2

    state.replace("a", key(), 5)
    assert count(state) == 6
    state.replace("a", key(), None)
    assert count(state) == 1
    assert state.owners == {"a", "b"}


def test_an_unknown_aggregation_is_ignored():
    state = FeatureState(FEATURES)
    unknown = PartialKey("0123456789ab", ("u",), 0)

    assert not state.merge("a", unknown, 1)
    assert not state.replace("a", unknown, 1)
    assert state.size == (0, 0)


def test_expired_slices_are_returned_and_stay_away():
    state = FeatureState(FEATURES)
    state.add("a", label(time=0))
    state.add("b", label(time=HOUR))

    assert state.expire(2 * HOUR - 1) == []
    removed = state.expire(2 * HOUR)

    assert {(owner, one.slice) for owner, one in removed} == {("a", 0)}
    assert not state.merge("a", key(number=0), 1)
    assert not state.replace("c", key(number=0), 1)
    assert count(state, 2 * HOUR) == 1
    assert state.expire(0) == [], "what has expired does not come back"


def test_a_group_whose_slices_have_expired_takes_no_memory():
    state = FeatureState(FEATURES)
    for number in range(100):
        state.add("a", label(user=f"u{number}"))
    state.expire(9 * HOUR)

    assert state.size == (0, 0)
    assert all(state.group(number, values) is None for number in (0, 1) for values in ((), ("u1",)))


def test_reading_unknown_groups_keeps_nothing():
    state = FeatureState(FEATURES)
    state.add("a", label())
    before = state.size

    assert count(state, user="stranger") == 0
    assert state.size == before


@pytest.mark.parametrize(("users", "each"), [(2000, 1), (100, 30)])
def test_the_size_is_near_the_memory_that_is_taken(users, each):
    found = parse_features(
        b"""
        [[features]]
        name = "mean"
        source = "labels"
        group = ["user"]
        window = "48h"
        aggregate = "mean"
        value = "label"
        """,
        "features.toml",
    )
    tracemalloc.start()
    state = FeatureState(found)
    for user in range(users):
        for hour in range(each):
            event = Event("labels", hour * HOUR, "id", {"user": f"user{user:06d}"}, user / 7)
            state.add("labels-0", found.contributions(event))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert state.size.entries == users * each
    assert taken / 2 < state.size.estimated_bytes < taken * 2
