"""The join compared with its oracle for any input in any order, with crashes and replays."""

from collections import Counter
from tempfile import TemporaryDirectory

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.processors.join.entry_stores import open_disk
from tests.processors.join.join_log import (
    ERROR_HEADERS,
    HORIZON,
    NOW,
    OUT_OF_ORDERNESS,
    TOPICS,
    JoinHarness,
    error_response,
    label,
    prediction,
)
from tests.processors.join.join_oracle import Oracle

NAMES = st.sampled_from("abcd")
TIMES = st.integers(0, 250)
PREDICTION = st.tuples(
    st.just("prediction"), NAMES, st.sampled_from(["online", "frozen"]), TIMES, st.booleans()
)
LABEL = st.tuples(st.just("label"), NAMES, st.sampled_from(["yes", "no"]), st.integers(0, 2), TIMES)
PROCESS = st.tuples(st.just("process"), st.booleans())
RARE = st.one_of(
    st.tuples(st.just("error_response"), NAMES),
    st.tuples(st.just("crash"), st.booleans()),
    st.tuples(st.just("restart")),
    st.tuples(st.just("replay"), st.integers(1, 5)),
    st.tuples(st.just("advance_time"), st.sets(st.sampled_from(["predictions", "labels"]))),
)
STEPS = st.lists(st.one_of(PREDICTION, LABEL, PROCESS, PROCESS, RARE), min_size=10, max_size=80)
FULL_NAMES = {"predictions": TOPICS.predictions, "labels": TOPICS.labels}


class Comparison:
    """Applies the same steps to the join and to its oracle."""

    def __init__(self, harness=None):
        self.harness = harness or JoinHarness()
        self.oracle = Oracle(HORIZON, OUT_OF_ORDERNESS)
        self.pending = {"predictions": [], "labels": []}
        self.repeated = Counter()
        self.labels = 0

    def prediction(self, name, model, at, has_features):
        features = {"x": 1.0} if has_features else None
        self.harness.append(TOPICS.predictions, prediction(name, model, at, features))
        self.pending["predictions"].append((self.oracle.prediction, name, model, at, has_features))

    def label(self, name, value, revision, at):
        self.harness.append(TOPICS.labels, label(name, value, revision, at))
        self.pending["labels"].append((self.oracle.label, name, value, revision, at))

    def error_response(self, name):
        self.harness.append(TOPICS.predictions, error_response(name), headers=ERROR_HEADERS)
        self.pending["predictions"].append((self.oracle.error_response, name, NOW))

    def process(self, is_labels):
        topic = "labels" if is_labels else "predictions"
        before = self.harness.join.state.inputs[FULL_NAMES[topic]].position or 0
        self.harness.process(FULL_NAMES[topic])
        if (self.harness.join.state.inputs[FULL_NAMES[topic]].position or 0) == before:
            return
        for apply, *values in self.pending[topic]:
            apply(*values)
        self.labels += len(self.pending[topic]) if is_labels else 0
        self.pending[topic].clear()
        self.oracle.advance_time(())

    def crash(self, is_labels):
        """Crash after publishing and before the changelog is written, which repeats the outputs."""
        before = len(self.harness.published)
        self.harness.process(FULL_NAMES["labels" if is_labels else "predictions"], crash=True)
        self.repeated.update(self.harness.messages()[before:])
        self.process(is_labels)

    def restart(self):
        self.harness.restart()

    def replay(self, max_records):
        """Read the last processed records again."""
        for topic in FULL_NAMES.values():
            position = self.harness.join.state.inputs[topic].position or 0
            records = self.harness.records[topic][max(0, position - max_records) : position]
            self.harness.store(self.harness.join.process(topic, position, records))
            self.oracle.counts["replayed"] += len(records)
        self.oracle.advance_time(())

    def advance_time(self, finished_inputs):
        self.harness.advance_time([FULL_NAMES[topic] for topic in finished_inputs])
        self.oracle.tell()
        self.oracle.advance_time(finished_inputs)


def check_agreement(comparison, steps):
    """Apply the steps to the join and to its oracle, and compare all that was published."""
    for method, *arguments in steps:
        getattr(comparison, method)(*arguments)

    messages = Counter(comparison.harness.messages())
    counts = comparison.harness.join.state.counts
    assert messages - comparison.repeated == Counter(comparison.oracle.messages)
    assert +counts - Counter(refused=counts["refused"]) == +comparison.oracle.counts
    outcomes = ("joined", "late", "orphan", "duplicate", "revised", "unlabellable")
    labels = sum(counts[name] for name in outcomes)
    event(f"labels joined: {counts['joined']}")
    assert labels + comparison.oracle.waiting_labels() == comparison.labels


@pytest.mark.slow
@given(STEPS)
@settings(max_examples=300)
def test_join_agrees_with_its_oracle_for_any_input_in_any_order(steps):
    check_agreement(Comparison(), steps)


@pytest.mark.slow
@given(STEPS)
@settings(max_examples=30, deadline=None)
def test_join_on_disk_agrees_with_its_oracle(steps):
    """Each crash and each restart opens the files again."""
    with TemporaryDirectory() as folder, open_disk(folder) as stores:
        harness = JoinHarness(open_store=lambda: stores.open(0))
        try:
            check_agreement(Comparison(harness), steps)
        finally:
            harness.join.store.close()
