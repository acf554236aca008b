"""The backfill computes what is served, and lets no event be known before it arrives."""

from itertools import chain
from random import Random

import numpy as np
import pytest

from modstream.processors.features.backfill import RecordedRequests, backfill
from modstream.processors.features.events import Event
from modstream.processors.features.files import parse_features
from modstream.processors.features.reader import FeatureReader
from modstream.processors.features.state import FeatureState
from tests.processors.features.oracle import FEATURES

FEATURE_SET = parse_features(FEATURES.encode(), "features.toml")
MINUTE = 60_000


def recorded(size=120):
    """Return requests, and late events of labels and a board, with their arrivals."""
    random = Random(3)
    times = np.sort([random.randrange(400 * MINUTE) for _ in range(size)])
    columns = {
        "s": [random.choice(["a", "b", None]) for _ in times],
        "k": [random.choice([1, 2, 3]) for _ in times],
        "v": [random.choice([5.0, 20, None]) for _ in times],
    }
    requests = RecordedRequests([str(one) for one in range(size)], columns, times, times)
    events = []
    for number, request in enumerate(requests.events(columns)):
        for source, value in (("labels", random.random() * 9), ("board", None)):
            time = request.time + random.randrange(60 * MINUTE)
            arrival = time + random.randrange(30 * MINUTE)
            name = f"{source}{number}"
            fields = request.fields
            events.append((arrival, Event(source, time, name, fields, value, request.time)))
    return requests, sorted(events, key=lambda pair: pair[0])


def served(requests, events):
    """Return what a reader gives for one request after the other."""
    state, found = FeatureState(FEATURE_SET), {name: [] for name in FEATURE_SET.names}
    waiting = list(events)
    for number, request in enumerate(requests.events(requests.columns)):
        while waiting and waiting[0][0] <= requests.arrivals[number]:
            state.add("labels-0", FEATURE_SET.contributions(waiting.pop(0)[1]))
        columns = {name: [value] for name, value in request.fields.items()}
        for name, column in FeatureReader(state).values(columns, [request.time]).items():
            found[name] += column.tolist()
        state.add("requests-0", FEATURE_SET.contributions(request))
    return found


@pytest.mark.parametrize("chunk", [7, 8192])
def test_the_backfill_equals_what_is_served_one_by_one(chunk, monkeypatch):
    monkeypatch.setattr("modstream.processors.features.backfill.CHUNK", chunk)
    requests, events = recorded()
    expected = served(requests, events)

    found = backfill(FEATURE_SET, events, requests)

    assert list(found) == list(FEATURE_SET.names)
    for name, column in found.items():
        assert column.tobytes() == np.array(expected[name]).tobytes(), name


def test_what_arrives_later_changes_nothing():
    requests, events = recorded()
    middle = int(requests.arrivals[60])
    known = [pair for pair in events if pair[0] <= middle]
    junk = [(middle + 1, Event("labels", 0, "z", {"s": "a", "k": 1}, 1e9))]

    whole = backfill(FEATURE_SET, events, requests)
    cut = backfill(FEATURE_SET, chain(known, junk), requests)

    for name, column in whole.items():
        assert column[:61].tobytes() == cut[name][:61].tobytes(), name
    assert whole["max_all_1h"].tobytes() != cut["max_all_1h"].tobytes()


def test_labels_that_come_a_day_later_say_nothing_of_the_last_hours():
    requests, events = recorded()
    day = 24 * 60 * MINUTE
    shifted = [
        (arrival + day, Event(one.source, one.time + day, one.id, one.fields, one.value))
        for arrival, one in events
    ]

    found = backfill(FEATURE_SET, shifted, requests)

    assert not found["count_all_1h"].any()
    assert np.isnan(found["mean_all_3h"]).all()


def test_the_backfill_of_no_requests_has_no_rows():
    nothing = np.empty(0, dtype=np.int64)
    requests = RecordedRequests([], {"s": [], "k": [], "v": []}, nothing, nothing)

    found = backfill(FEATURE_SET, [], requests)

    assert {column.shape for column in found.values()} == {(0,)}
