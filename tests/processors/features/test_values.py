"""Every aggregate has the value of its definition, for any order of the events and any owners."""

import math
import struct
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.processors.features.codec import (
    decode_key,
    decode_partial,
    encode_key,
    encode_partial,
)
from modstream.processors.features.events import Event, PartialKey
from modstream.processors.features.files import parse_features
from modstream.processors.features.reader import FeatureReader
from modstream.processors.features.state import FeatureState
from tests.processors.features.oracle import FEATURES, expected

FEATURE_SET = parse_features(FEATURES.encode(), "features.toml")
HOUR = 3_600_000
SLICE = 600_000
SOURCES = ("requests", "labels", "board")
TIMES = st.integers(0, 6 * HOUR) | st.sampled_from([0, 600_000, 599_999, HOUR, 3 * HOUR - 1])
GROUPS = {
    "s": st.sampled_from(["a", "b", "b,a", "", None]),
    "k": st.sampled_from([1, 2, 2.0, True, "2", None, 0.5, math.nan]),
}
NUMBERS = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.1, 0.2, 0.3, 1e16, -1e16, 1e308, -1e308, 5e-324, -0.0, 1.0]),
    st.floats(allow_nan=False, allow_infinity=False),
)
VALUES = st.one_of(NUMBERS, NUMBERS, st.sampled_from(["x", None, math.nan, math.inf]))


@st.composite
def event_lists(draw):
    """Return events with different ids."""
    found = []
    for number in range(draw(st.integers(0, 14))):
        source = draw(st.sampled_from(["requests", "labels", "labels", "labels", "board"]))
        fields = draw(
            st.fixed_dictionaries(
                GROUPS, optional={"v": st.integers(-1, 60) | st.sampled_from([0.25, 1e300, "x"])}
            )
        )
        value = draw(VALUES) if source == "labels" else None
        asked = None if source == "requests" else draw(st.none() | TIMES)
        found.append(Event(source, draw(TIMES), str(number), fields, value, asked))
    return found


REQUESTS = st.lists(st.tuples(st.fixed_dictionaries(GROUPS), TIMES), min_size=1, max_size=6)


def bits(values):
    """Return the bits of numbers; all NaNs are equal."""
    return [b"nan" if math.isnan(one) else struct.pack("<d", one) for one in values]


def read(state, requests):
    columns = {name: [fields[name] for fields, _ in requests] for name in ("s", "k")}
    found = FeatureReader(state).values(columns, [time for _, time in requests])
    return {name: bits(column.tolist()) for name, column in found.items()}


def state_of(events, owner_of=lambda event: "one"):
    state = FeatureState(FEATURE_SET)
    for event in events:
        state.add(owner_of(event), FEATURE_SET.contributions(event))
    return state


def partials(state):
    return {(owner, *key): value for owner in state.owners for key, value in state.items(owner)}


@settings(max_examples=40)
@given(event_lists(), REQUESTS)
def test_every_feature_has_the_value_of_its_definition(events, requests):
    found = read(state_of(events), requests)

    for one in FEATURE_SET.definitions:
        values = [expected(one, events, fields, time) for fields, time in requests]
        assert bits(values) == found[one.name], one.name


@settings(max_examples=40)
@given(event_lists(), REQUESTS, st.randoms(use_true_random=False), st.integers(1, 4))
def test_neither_order_nor_owners_change_a_value(events, requests, random, owners):
    shuffled = random.sample(events, len(events))
    split = state_of(shuffled, lambda event: f"labels-{hash(event.id) % owners}")

    assert read(split, requests) == read(state_of(events), requests)


@settings(max_examples=40)
@given(event_lists(), st.randoms(use_true_random=False))
def test_the_order_changes_no_partial_aggregate(events, random):
    shuffled = random.sample(events, len(events))

    assert partials(state_of(shuffled)) == partials(state_of(events))


@settings(max_examples=40)
@given(event_lists(), REQUESTS, st.data())
def test_values_are_the_same_when_they_are_read_between_the_events(events, requests, data):
    state = FeatureState(FEATURE_SET)
    for number, event in enumerate(events):
        state.add("one", FEATURE_SET.contributions(event))
        some = data.draw(st.lists(st.sampled_from(requests), min_size=1, max_size=3))
        assert read(state, some) == read(state_of(events[: number + 1]), some)


@settings(max_examples=40)
@given(event_lists(), REQUESTS, st.randoms(use_true_random=False))
def test_a_reader_that_replays_the_encoded_changes_has_the_same_values(events, requests, random):
    owner_of = lambda event: f"labels-{int(event.id) % 3}"  # noqa: E731
    source, replica = FeatureState(FEATURE_SET), FeatureState(FEATURE_SET)
    for event in events:
        changed = source.add(owner_of(event), FEATURE_SET.contributions(event))
        for key in random.sample(sorted(changed), len(changed)):
            kind = FEATURE_SET.aggregations[key.aggregation].kind
            content = encode_partial(kind, source.get(owner_of(event), key))
            owner, found = decode_key(encode_key(owner_of(event), key))
            replica.replace(owner, found, decode_partial(kind, content))
        read(replica, requests)

    assert partials(replica) == partials(source)
    assert replica.size == source.size
    assert read(replica, requests) == read(source, requests)


@settings(max_examples=40)
@given(event_lists(), REQUESTS, TIMES)
def test_expired_slices_are_read_by_no_later_request(events, requests, before):
    later = [(fields, max(time, before)) for fields, time in requests]
    state = state_of(events)
    read(state, later)
    removed = state.expire(before)
    again = state_of([])
    again.expire(before)
    for event in events:
        again.add("one", FEATURE_SET.contributions(event))

    assert read(state, later) == read(state_of(events), later) == read(again, later)
    assert partials(again) == partials(state)
    assert len(removed) + state.size.entries == state_of(events).size.entries


@settings(max_examples=40)
@given(event_lists(), event_lists(), REQUESTS)
def test_a_dropped_owner_leaves_nothing_behind(events, others, requests):
    state = state_of(events)
    for event in others:
        state.add("two", FEATURE_SET.contributions(event))
    read(state, requests)
    state.drop_owner("two")

    assert read(state, requests) == read(state_of(events), requests)
    assert state.size == state_of(events).size


def test_windows_that_move_to_and_fro_have_the_values_of_their_definitions():
    random, events = Random(5), []
    state, now = FeatureState(FEATURE_SET), 20 * SLICE
    for number in range(60):
        time = now + random.randrange(-12, 3) * SLICE
        source = random.choice(["labels", "labels", "requests"])
        events.append(
            Event(source, time, f"{number}", {"s": "a", "k": 1, "v": 3}, number / 10, time)
        )
        state.add("one", FEATURE_SET.contributions(events[-1]))
        now += random.choice([-SLICE, 0, 0, SLICE, SLICE])
        if number % 2:
            found = read(state, [({"s": "a", "k": 1}, now)])
            for one in FEATURE_SET.definitions:
                value = expected(one, events, {"s": "a", "k": 1}, now)
                assert bits([value]) == found[one.name], (one.name, number)


def test_the_current_slice_counts_and_no_later_one():
    state = state_of([Event("labels", 599_999, "1", {}, 1), Event("labels", 600_000, "2", {}, 3)])

    found = FeatureReader(state).values({"s": ["a"] * 3, "k": [1] * 3}, [0, 599_999, 600_000])

    assert found["sum_all_1h"].tolist() == [1, 1, 4]


def test_without_events_counts_are_zero_rates_their_prior_and_all_else_is_missing():
    found = FeatureReader(FeatureState(FEATURE_SET)).values({"s": ["a"], "k": [None]}, [HOUR])

    assert found["count_s_1h"].tolist() == found["sum_s_k_3h"].tolist() == [0]
    assert found["overdue_all"].tolist() == found["distinct_all_1h"].tolist() == [0]
    assert found["share_s"].tolist() == [0.25]
    missing = ("rate_s_1h", "mean_s_1h", "min_all_1h", "last_s_1h", "quantile_all_1h", "since_all")
    assert all(np.isnan(found[name]).all() for name in missing)


def test_an_empty_batch_has_columns_without_rows():
    found = FeatureReader(FeatureState(FEATURE_SET)).values({"s": [], "k": []}, [])

    assert list(found) == list(FEATURE_SET.names)
    assert {column.shape for column in found.values()} == {(0,)}


HOSTILE = ["x" * 257, 10**400, -(10**5000), [1], {"a": 1}, math.inf, 1e300, "\x00", b"x"]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("time", [0, 2**53 + 1, -(10**30)])
def test_a_hostile_value_adds_only_what_can_be_stored_and_read(value, time):
    fields = {"s": value, "k": value, "v": value}
    state = state_of([Event(source, time, "1", fields, value, time) for source in SOURCES])

    for (_, *key), partial in partials(state).items():
        kind = FEATURE_SET.aggregations[key[0]].kind
        assert decode_partial(kind, encode_partial(kind, partial)) == partial
        assert decode_key(encode_key("one", PartialKey(*key))) == ("one", PartialKey(*key))
    found = FeatureReader(state).values({"s": [value, "a"], "k": [value, 1]}, [0, 0])
    assert {column.shape for column in found.values()} == {(2,)}
