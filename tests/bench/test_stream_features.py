"""What stream features are worth: computed for made flights whose lateness comes and goes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bench.stream_features import (
    BOARD_FEATURES,
    DAY_MS,
    LABEL_FEATURES,
    OWN,
    Table,
    mean_logit,
    predict,
    steps,
)
from modstream.demo.feature_events import board_events, computed, label_events
from modstream.models.examples.flights import FLIGHT_SCHEMA
from modstream.processors.features.definition import KEY
from modstream.processors.features.files import load_features
from modstream.producers.replay.flights import NUMBERS, load_board

MARCH = 1_362_096_000_000
MINUTE = 60_000
SIZE = 3000


@pytest.fixture(scope="module")
def flights():
    """Return flights of March and April; in a third of all spells of 8 hours, most are late."""
    rng = np.random.default_rng(1)
    scheduled = MARCH + np.arange(SIZE) * 60 * DAY_MS // SIZE
    is_bad = (rng.random(200) < 0.33)[(scheduled - MARCH) // (8 * 60 * MINUTE)]
    numbers = {name: rng.normal(size=SIZE) for name in NUMBERS}
    return pd.DataFrame(
        {
            **numbers,
            "id": [f"{number:05d}" for number in range(SIZE)],
            "key": "UA-1",
            "scheduled_ms": scheduled,
            "landed_ms": scheduled + 30 * MINUTE,
            "late": rng.random(SIZE) < np.where(is_bad, 0.9, 0.1),
            "carrier": rng.choice(["UA", "B6"], SIZE),
            "origin": rng.choice(["EWR", "JFK", "LGA"], SIZE),
            "dest": rng.choice(["ATL", "BOS"], SIZE),
            "distance": 500.0,
        }
    )


def auc(flights, features, names):
    table = Table.of(flights, features)
    found = predict(table, names, None)
    return roc_auc_score(table.late[table.is_scored], found[table.is_scored])


@pytest.mark.slow
def test_labels_of_the_last_hours_help_and_labels_that_come_a_day_later_do_not(flights):
    features = load_features(LABEL_FEATURES)
    names = list(steps(features).values())[-1]
    known = computed(features, flights)
    shifted = computed(features, flights, shift=DAY_MS)

    own = auc(flights, known, steps(features)[OWN])

    assert auc(flights, known, names) > own + 0.15
    assert auc(flights, shifted, names) < own + 0.05


def test_labels_and_departures_are_events_in_the_order_of_their_times(flights):
    labels = list(label_events(flights.head(5), shift=7))

    assert [arrival for arrival, _ in labels] == [event.time for _, event in labels]
    assert labels[0][1].time == flights["landed_ms"][0] + 7
    assert labels[0][1].fields[KEY] == "UA-1"
    assert labels[0][1].request_time == flights["scheduled_ms"][0]


@pytest.mark.slow
def test_no_flight_is_on_the_board_before_its_scheduled_departure():
    board = load_board()

    assert board["time"].is_monotonic_increasing
    assert (board["time"] > board["scheduled_ms"]).all()
    assert board["kind"].value_counts().to_dict() == {"departure": 328_521, "landing": 327_346}
    _, event = next(board_events(board))
    assert event.source == "board"
    assert event.fields["kind"] == "departure"


@pytest.mark.parametrize("path", [LABEL_FEATURES, BOARD_FEATURES], ids=lambda path: path.stem)
def test_the_features_of_the_flights_fit_their_requests(path):
    features = load_features(path)
    own = {feature.name for feature in FLIGHT_SCHEMA.features}

    assert features.request_fields <= own | {KEY}
    assert not own & set(features.names)
    assert len(steps(features)) == (5 if path == BOARD_FEATURES else 4)
    assert set(list(steps(features).values())[-1]) == own | set(features.names)


def test_the_mean_of_log_odds_is_between_both():
    found = mean_logit(np.array([0.5, 0.2, 0.9]), np.array([0.5, 0.8, 0.9]))

    assert found == pytest.approx([0.5, 0.5, 0.9])
