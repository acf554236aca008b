"""A short demo with the board: what is served, what it knew, and what the report says."""

import json
from heapq import merge
from operator import itemgetter
from threading import Event

import numpy as np
import pandas as pd
import pytest

from modstream.audit.reading import audit_stream
from modstream.audit.result import evaluate
from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import read_to_end
from modstream.demo import first_state
from modstream.demo.drain import wait_until_ready
from modstream.demo.family import BOOSTED, FIRST, MEAN, ONCE, ONLINE
from modstream.demo.feature_events import board_events, label_events
from modstream.demo.learner_progress import LearnerProgress
from modstream.demo.plan import DemoPlan
from modstream.demo.run import DemoReplay
from modstream.demo.steps_table import steps_table
from modstream.demo.stream import demo_settings
from modstream.features.definitions import open_definitions, read_definitions
from modstream.features.verification import verify_features
from modstream.process.supervisor import Supervisor
from modstream.processors.features.backfill import RecordedRequests, backfill
from modstream.processors.features.definition import KEY
from modstream.producers.replay.flights import FEATURES, load_board, load_flights
from modstream.registry.access import open_registry
from modstream.registry.card_lookup import card_finder
from modstream.stack.local_stack import LocalStack

pytestmark = [
    *(pytest.mark.real, pytest.mark.journey, pytest.mark.long),
    pytest.mark.timeout(600),
]

START, END = pd.Timestamp(2013, 4, 1), pd.Timestamp(2013, 4, 2)
FIRST_DAY = pd.Timestamp(2013, 3, 22)
TIMEOUT_S = 500


@pytest.fixture
def few_flights(monkeypatch):
    """Let the demo know flights from Newark, of ten days before and of the day that it replays."""
    flights = load_flights()
    days = (flights["date"] >= FIRST_DAY) & (flights["date"] < END)
    few = flights[days & (flights["origin"] == "EWR")]
    # The labels of flights in the air at the start are not replayed.
    start = few["scheduled_ms"][few["date"] >= START].iloc[0]
    in_air = (few["scheduled_ms"] < start) & (few["landed_ms"] >= start)
    few = few[~in_air.fillna(value=False)].reset_index(drop=True)
    monkeypatch.setattr(first_state, "load_flights", lambda: few)
    board = load_board(has_early=True)
    board = board[board["id"].isin(few["id"])].reset_index(drop=True)
    monkeypatch.setattr(first_state, "load_board", lambda **_: board)
    return few, board


@pytest.fixture
def settings(bootstrap, redis_url, tmp_path, monkeypatch):
    values = {"BOOTSTRAP": bootstrap, "REDIS": redis_url, "HOME": str(tmp_path)}
    for name, value in values.items():
        monkeypatch.setenv(f"MODSTREAM_{name}", value)
    monkeypatch.chdir(tmp_path)
    return demo_settings(PLAN)


PLAN = DemoPlan(START.date(), END.date(), workers=1, board=True)


def replayed(settings, folder):
    """Run the demo's stream to its end, and return the outcome of the replay."""
    with open_registry(settings) as registry, Supervisor(folder) as supervisor:
        data = first_state.prepare_stream(settings, registry, PLAN, lambda *_: None)
        running = LocalStack(settings, None, supervisor)
        running.start(PLAN.workers, ONLINE, aggregator=True)
        topics, stop = settings.topics(), Event()
        with LearnerProgress(settings.connection, topics, ONLINE) as progress:
            wait_until_ready(Admin(settings.connection), topics, PLAN.workers, stop)
            replay = DemoReplay(running, PLAN, data, stop)
            try:
                return replay.start(progress.event_time).result(TIMEOUT_S)
            finally:
                stop.set()


def known(features, flights, board, lag):
    """Return the features of flights if each label is known `lag` ms after the landing."""
    labels = ((arrival + lag, event) for arrival, event in label_events(flights))
    events = merge(labels, board_events(board), key=itemgetter(0))
    times = flights["scheduled_ms"].to_numpy(np.int64)
    columns = {name: flights[name].tolist() for name in FEATURES} | {KEY: flights["key"].tolist()}
    return backfill(
        features, events, RecordedRequests(flights["id"].tolist(), columns, times, times)
    )


def served_rows(settings):
    """Return the features of each request as the model that serves was given them, by id."""
    rows = {}
    for record in read_to_end(settings.connection, [settings.topics().predictions]):
        answer = json.loads(record.value)
        if answer.get("model") == ONLINE:
            rows[answer["id"]] = answer["features"]
    return pd.DataFrame.from_dict(rows, orient="index")


def test_what_is_served_knows_the_past_and_nothing_else(settings, tmp_path, few_flights):
    flights, board = few_flights
    outcome = replayed(settings, tmp_path / "demo")

    assert outcome.uncounted == 0
    assert not any(outcome.remaining_lag.values())
    with open_definitions(settings) as table:
        definitions = read_definitions(table, settings.stream)
    is_replayed = (flights["date"] >= START).to_numpy()
    rows = served_rows(settings).loc[flights["id"][is_replayed]].astype(float, errors="ignore")
    wait = PLAN.max_answer_lag_ms
    lags = (0, PLAN.max_feature_lag_ms + wait, -wait)
    now, before, after = (known(definitions.features, flights, board, lag) for lag in lags)
    # Labels: all that had landed some time before are counted, and none that was sent after the
    # answer; how long a request waits for a worker is limited.
    counted = rows["late_count_all_24h"].to_numpy(float)
    assert (counted <= after["late_count_all_24h"][is_replayed]).all()
    assert (counted >= before["late_count_all_24h"][is_replayed]).all()
    # The board: exactly what was on it when the flight was to depart.
    for name in definitions.features.names:
        if name.startswith(("departed_", "landed_")):
            served = rows[name].to_numpy(float)
            np.testing.assert_array_equal(served, now[name][is_replayed], err_msg=name)
    verified = verify_features(settings, definitions, Event())
    assert verified.rows == is_replayed.sum()
    assert not verified.differing, verified.examples
    check_report(settings)


def check_report(settings):
    """Check that the report is sound and shows each step."""
    with open_registry(settings) as registry:
        audit = audit_stream(
            *(settings.connection, settings.topics(), settings.models, settings.dedup_window),
            find_card=card_finder(registry),
        )
        result = evaluate(audit)
    assert result.is_sound, result.faults
    candidates = {one.candidate: one for one in result.candidates}
    assert set(candidates) == {FIRST, BOOSTED, ONCE, MEAN}
    (learning,) = result.learning
    assert candidates[BOOSTED].labels == candidates[FIRST].labels == learning.rows_learned > 100
    assert all(0 < one.auc < 1 for one in candidates.values())
    names = [row[0] for row in steps_table(result, PLAN).rows]
    assert names == [
        "frozen: fitted once", "boosted: fitted once", "boosted: fitted once",
        "online: learns each label", "mean of both log-odds", "served: chosen by the gate",
    ]  # fmt: skip
