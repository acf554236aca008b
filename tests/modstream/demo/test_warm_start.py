"""The features at the begin of a replay: those that a stream would have which had run before."""

import numpy as np
import pandas as pd
import pytest

from modstream.broker.wire.topics import Topics
from modstream.demo.feature_events import (
    BOARD_FEATURES,
    EARLY_BOARD_FEATURES,
    LABEL_FEATURES,
    board_events,
    computed,
    label_events,
    request_events,
)
from modstream.demo.warm_start import known_events, warm_updates
from modstream.processors.features.definition import KEY
from modstream.processors.features.files import load_features
from modstream.processors.features.reader import FeatureReader
from modstream.processors.features.state import FeatureState
from modstream.producers.replay.flights import CATEGORIES, FEATURES, NUMBERS

HOUR = 3_600_000
APRIL = 1_364_792_400_000
SIZE = 400


@pytest.fixture(scope="module")
def flights():
    """Return flights of 20 days around the 1st of April, by day only; each lands after an hour."""
    rng = np.random.default_rng(2)
    days = APRIL + np.repeat(np.arange(-10, 10), SIZE // 20) * 24 * HOUR
    scheduled = np.sort(
        days + rng.integers(6, 20, SIZE) * HOUR + rng.integers(0, 60, SIZE) * 60_000
    )
    landed = pd.array(scheduled + HOUR, dtype="Int64")
    late = pd.array(rng.random(SIZE) < 0.3, dtype="boolean")
    cancelled = rng.random(SIZE) < 0.05
    landed[cancelled], late[cancelled] = pd.NA, pd.NA
    return pd.DataFrame(
        {
            **{name: rng.normal(size=SIZE) for name in NUMBERS},
            "id": [f"{number:04d}" for number in range(SIZE)],
            "key": rng.choice(["UA-1", "B6-2"], SIZE),
            "scheduled_ms": scheduled,
            "landed_ms": landed,
            "late": late,
            "carrier": rng.choice(["UA", "B6"], SIZE),
            "origin": rng.choice(["EWR", "JFK"], SIZE),
            "dest": rng.choice(["ATL", "BOS"], SIZE),
            "distance": 500.0,
        }
    )


@pytest.fixture(scope="module")
def board(flights):
    """Return a board on which each flight leaves two minutes late, and each fifth one 40."""
    minutes = np.where(np.arange(SIZE) % 5, 2, 40)
    rows = flights[["id", *CATEGORIES]].assign(
        kind="departure",
        time=flights["scheduled_ms"] + minutes * 60_000,
        scheduled_ms=flights["scheduled_ms"],
        minutes=minutes.astype(float),
    )
    return rows.sort_values("time", ignore_index=True)


def served(features, flights, board, start, ahead=0):
    """Return the features of the flights from `start` on, from a warm start and what follows.

    Entries of the board arrive `ahead` ms before their time.
    """
    topics, state = Topics("flights"), FeatureState(features)
    for update in warm_updates(
        features, topics, known_events(features, flights, board, start), start
    ):
        state.replace(update.owner, update.key, update.partial)
    later = flights[flights["scheduled_ms"] >= start]
    events = [(arrival, 0, event) for arrival, event in label_events(later)]
    if board is not None:
        shown = board[board["time"] >= start]
        events += [(arrival - ahead, 0, event) for arrival, event in board_events(shown)]
    events += [(event.time, 1, event) for event in request_events(later)]
    reader, found = FeatureReader(state), []
    for _, is_request, event in sorted(events, key=lambda one: (*one[:2], one[2].id)):
        if is_request:
            columns = {name: [event.fields[name]] for name in (*FEATURES, KEY)}
            found.append(reader.values(columns, [event.time]))
        state.add("owner", features.contributions(event))
    return {name: np.concatenate([one[name] for one in found]) for name in features.names}


@pytest.mark.parametrize("path", [LABEL_FEATURES, EARLY_BOARD_FEATURES], ids=lambda path: path.stem)
def test_features_after_a_warm_start_are_those_of_all_events(flights, board, path):
    features = load_features(path)
    shown = board if path == EARLY_BOARD_FEATURES else None
    is_later = (flights["scheduled_ms"] >= APRIL).to_numpy()

    found = served(features, flights, shown, APRIL)

    expected = computed(features, flights, shown)
    assert np.isfinite(found["late_count_key_60d"]).all()
    assert found["late_count_key_60d"][0] > 50
    for name in features.names:
        np.testing.assert_array_equal(found[name], expected[name][is_later], err_msg=name)


def differing(features, flights, board, ahead):
    """Return the names of features that are others if the board is sent ahead."""
    found = served(features, flights, board, APRIL, ahead)
    expected = computed(features, flights, board)
    is_later = (flights["scheduled_ms"] >= APRIL).to_numpy()
    return {
        name
        for name in features.names
        if not np.array_equal(found[name], expected[name][is_later], equal_nan=True)
    }


def test_a_board_that_is_sent_ahead_is_in_no_feature_of_an_earlier_minute(flights, board):
    """With wider slices it would be."""
    early, wide = load_features(EARLY_BOARD_FEATURES), load_features(BOARD_FEATURES)

    assert not differing(early, flights, board, 20 * 60_000)
    assert "departed_count_all_1h" in differing(wide, flights, board, 20 * 60_000)


def test_nothing_that_happened_later_is_known_at_the_start(flights, board):
    features = load_features(EARLY_BOARD_FEATURES)

    events = list(known_events(features, flights, board, APRIL))

    assert max(event.time for event in events) < APRIL
    assert {event.source for event in events} == {"requests", "labels", "board"}


def test_a_flight_in_the_air_at_the_start_is_not_overdue_for_ever(flights):
    features = load_features(LABEL_FEATURES)
    start = int(flights["scheduled_ms"][SIZE // 2]) + 60_000

    known = {event.id for event in known_events(features, flights, None, start)}

    assert flights["id"][SIZE // 2] not in known
