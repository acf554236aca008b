"""The tracker of conformal thresholds: a function of the feedback, whatever is repeated or late."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.processors.conformal.model_state import (
    MAX_VERSIONS,
    ModelState,
    decode_thresholds,
    encode_thresholds,
)
from modstream.processors.conformal.settings import ServedSetSettings
from modstream.processors.conformal.tracker import ConformalTracker
from modstream.processors.errors import UnreadableConformalState
from tests.processors.small_fixtures import make_card

SETTINGS = ServedSetSettings({"m": 0.9}, window=50, min_labels=5)
TASKS = {1: "binary", 2: "binary", 3: "regression", 4: "binary"}


def find_card(model, version):
    task = TASKS.get(version, "binary")
    classes = (False, True) if task == "binary" else ()
    return make_card(model, version, task=task, classes=classes)


def new_tracker(settings=SETTINGS, **fields):
    return ConformalTracker(settings, VersionClasses(find_card), **fields)


def served(members, coverage=0.9, labels=0):
    return {"set": members, "coverage": coverage, "labels": labels}


def feedback(offset, label=1, *, version=1, outputs=None, partition=0, **fields):
    """A feedback record; by default its id is its position."""
    fields = {"id": f"{partition}-{offset}", "model": "m", "headers": (), **fields}
    headers, model = fields.pop("headers"), fields.pop("model")
    joined = JoinedPrediction(
        model=model, version=version, outputs=outputs or {"probability": 0.75}
    )
    value = Feedback(label=label, predictions=(joined,), event_time=1, label_time=2, **fields)
    return Record("s.feedback", partition, offset, None, encode(value), headers)


def test_first_threshold_comes_after_enough_labels():
    tracker = new_tracker()
    tracker.add([feedback(at) for at in range(4)])
    assert tracker.thresholds() == {}

    tracker.add([feedback(at) for at in range(4, 40)])

    threshold = tracker.thresholds()["m"]
    assert (threshold.labels, threshold.coverage, threshold.value) == (40, 0.9, 0.25)
    assert tracker.states["m"].adaptive.alpha == pytest.approx(0.1)


def test_level_adapts_to_the_sets_that_were_served():
    tracker = new_tracker()
    inside = {"probability": 0.75, "conformal": served([True])}
    outside = {"probability": 0.75, "conformal": served([False])}
    other = {"probability": 0.75, "conformal": served([False], coverage=0.5)}

    tracker.add([feedback(0, outputs=inside), feedback(1, outputs=outside)])
    tracker.add([feedback(2, outputs=other)])

    state = tracker.states["m"]
    assert state.delay == 0.5
    assert state.adaptive.alpha == pytest.approx(0.1 + 0.005 * 0.1 - 0.005 * 0.9)
    assert state.outcomes == (2, 1)
    assert state.labels == 3


def test_what_is_no_new_label_is_not_counted():
    tracker = new_tracker()
    released = ((Header.REDRIVE_OF.value, b"s.quarantine:0:1"),)
    tracker.add(
        [
            feedback(0, id="a"),
            feedback(1, id="a"),
            feedback(2, id="a", row=1),
            feedback(3, id="b", revises=False),
            feedback(4, id="c", headers=released),
            feedback(5, id="d", model="other"),
            feedback(6, id="e", label="no class"),
            Record("s.feedback", 0, 7, None, b"?"),
            Record("s.feedback", 0, 8, None, None),
        ]
    )

    assert tracker.states["m"].labels == 2
    assert (tracker.repeated, tracker.unscored, tracker.records) == (1, 1, 9)
    assert tracker.offsets == {"s.feedback:0": 9}


def test_state_goes_on_for_new_versions_of_a_task_and_restarts_for_another_task():
    tracker = new_tracker()
    tracker.add([feedback(at, version=1 + at % 2) for at in range(10)])
    assert tracker.states["m"].labels == 10

    value = {"value": 3.0}
    tracker.add([feedback(10, 5.0, version=3, outputs=value), feedback(11, version=2)])

    state = tracker.states["m"]
    assert (state.task, state.labels, state.adaptive.scores) == ("regression", 1, (2.0,))
    tracker.add([feedback(12, version=4)])
    assert (tracker.states["m"].task, tracker.states["m"].labels) == ("binary", 1)


def test_outcomes_of_the_newest_versions_are_kept():
    tracker = new_tracker()
    outputs = {"probability": 0.75, "conformal": served([True])}
    order = [*range(5, 30), 5]
    tracker.add([feedback(at, version=one, outputs=outputs) for at, one in enumerate(order)])

    state = tracker.states["m"]
    assert sorted(state.versions) == list(range(30 - MAX_VERSIONS, 30))
    assert state.outcomes == (26, 26)


def test_metrics_are_those_of_the_model_and_of_its_versions_with_new_labels():
    tracker = new_tracker()
    inside = {"probability": 0.75, "conformal": served([True])}
    outside = {"probability": 0.75, "conformal": served([False])}
    tracker.add([feedback(0, outputs=inside), feedback(1, version=2), feedback(2, outputs=outside)])

    model, version = tracker.metrics()

    assert (model.kind, model.model, model.version) == ("conformal", "m", None)
    assert model.values == pytest.approx(
        {
            "labels": 3,
            "served": 2,
            "inside": 1,
            "coverage": 0.5,
            "delay": 1,
            "target": 0.9,
            "level": 0.904,
        }
    )
    assert (version.version, version.values["coverage"], version.event_time) == (1, 0.5, 2)
    assert version.offsets == {"s.feedback:0": 3}
    assert tracker.metrics() == []


events = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.booleans(),
        st.floats(0, 1),
        st.sampled_from([None, [], [True], [False, True]]),
        st.integers(0, 15),
    ),
    max_size=60,
)


def records_of(drawn):
    """The records of drawn events, with offsets by partition; some ids are repeated."""
    offsets = [0, 0]
    for partition, label, probability, members, name in drawn:
        outputs = {"probability": probability}
        if members is not None:
            outputs["conformal"] = served(members)
        fields = {"outputs": outputs, "partition": partition, "id": f"r{name}"}
        yield feedback(offsets[partition], label, **fields)
        offsets[partition] += 1


@given(events, st.integers(0, 60), st.integers(0, 60))
def test_a_tracker_that_is_killed_continues_as_if_it_was_not(drawn, stored_at, killed_at):
    records = list(records_of(drawn))
    stored_at, killed_at = sorted((stored_at, killed_at))
    whole = new_tracker()
    whole.add(records)

    first = new_tracker()
    first.add(records[:stored_at])
    offsets, states = dict(first.offsets), first.encode_states()
    first.add(records[stored_at:killed_at])  # This was not stored.
    second = new_tracker()
    second.restore(offsets, states)
    second.add(records)  # It reads back what was counted, to recognise repeated rows.

    assert second.offsets == whole.offsets
    assert second.encode_states() == whole.encode_states()
    assert second.thresholds() == whole.thresholds()


def test_another_coverage_keeps_the_scores_and_starts_the_level_again():
    tracker = new_tracker()
    outputs = {"probability": 0.75, "conformal": served([False])}
    tracker.add([feedback(at, outputs=outputs) for at in range(10)])

    changed = new_tracker(ServedSetSettings({"m": 0.8}, window=4, min_labels=5))
    changed.restore(tracker.offsets, tracker.encode_states())

    state = changed.states["m"]
    assert (state.coverage, state.labels, state.outcomes) == (0.8, 10, (0, 0))
    assert state.adaptive.alpha == pytest.approx(0.2)
    assert state.adaptive.scores == (0.25,) * 4
    without = new_tracker(ServedSetSettings({"x": 0.8}))
    without.restore(tracker.offsets, tracker.encode_states())
    assert without.states == {}


def test_thresholds_are_read_as_they_are_written():
    tracker = new_tracker()
    tracker.add([feedback(at) for at in range(6)])
    found = tracker.thresholds()
    assert found["m"].value == float("inf")

    assert decode_thresholds(encode_thresholds(found)) == found


def test_damaged_states_are_refused():
    with pytest.raises(UnreadableConformalState):
        decode_thresholds(b"?")
    with pytest.raises(UnreadableConformalState):
        ModelState.decode(b"\x00", 0.9, SETTINGS)


@pytest.mark.parametrize(
    "fields",
    [{"coverage": {"m": 1.0}}, {"coverage": {"m": 0}}, {"window": 0}, {"refresh_seconds": 0}],
)
def test_settings_out_of_range_are_refused(fields):
    with pytest.raises(ValueError, match=r"number|window"):
        ServedSetSettings(**fields)


def coverage_by_part(late, monkeypatch, *, limit):
    """Return the coverage of each tenth of 30,000 answers whose labels are `late` labels late."""
    if not limit:
        monkeypatch.setattr("modstream.processors.conformal.model_state.MAX_GAIN", 1e9)
    state = ModelState.new("regression", 0.9, ServedSetSettings({"m": 0.9}))
    scores = np.random.default_rng(5).random(30_000).tolist()
    pending, inside = deque(), []
    for score in scores:
        threshold = state.threshold(500)
        served = None if threshold is None else score <= threshold.value
        inside.append(served)
        pending.append((score, served, state.labels))
        if len(pending) > late:
            label, was_inside, labels = pending.popleft()
            state.add(1, label, is_inside=was_inside, made_of=labels)
    parts = np.array_split(np.array(inside[10_000:], dtype=bool), 10)
    return state.delay, [part.mean() for part in parts]


def test_coverage_does_not_oscillate_if_labels_are_late(monkeypatch):
    delay, coverages = coverage_by_part(2000, monkeypatch, limit=True)
    assert delay == pytest.approx(2000, rel=0.01)
    assert coverages == pytest.approx([0.9] * 10, abs=0.02)

    _, without_limit = coverage_by_part(2000, monkeypatch, limit=False)
    assert max(without_limit) - min(without_limit) > 0.2


def test_the_step_is_that_of_the_settings_if_labels_are_soon(monkeypatch):
    soon = coverage_by_part(50, monkeypatch, limit=True)
    assert soon == coverage_by_part(50, monkeypatch, limit=False)
