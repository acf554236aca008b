"""The join against its oracle, whatever comes in whatever order, with crashes and replays."""

from collections import Counter

from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.processors.join.join_log import (
    AS_ERROR,
    DISORDER,
    HORIZON,
    TOPICS,
    Log,
    label,
    prediction,
    refusal,
)
from tests.processors.join.join_oracle import Oracle

NAMES = st.sampled_from("abcd")
TIMES = st.integers(0, 250)
PREDICTION = st.tuples(
    st.just("prediction"), NAMES, st.sampled_from(["online", "frozen"]), TIMES, st.booleans()
)
LABEL = st.tuples(st.just("label"), NAMES, st.sampled_from(["yes", "no"]), st.integers(0, 2), TIMES)
TAKE = st.tuples(st.just("take"), st.booleans())
RARE = st.one_of(
    st.tuples(st.just("refusal"), NAMES),
    st.tuples(st.just("crash"), st.booleans()),
    st.tuples(st.just("restart")),
    st.tuples(st.just("replay"), st.integers(1, 5)),
    st.tuples(st.just("sweep"), st.sets(st.sampled_from(["predictions", "labels"]))),
)
STEPS = st.lists(st.one_of(PREDICTION, LABEL, TAKE, TAKE, RARE), min_size=10, max_size=80)
FULL_NAMES = {"predictions": TOPICS.predictions, "labels": TOPICS.labels}


class Rehearsal:
    """The same steps for the join and for its oracle."""

    def __init__(self):
        self.log = Log()
        self.oracle = Oracle(HORIZON, DISORDER)
        self.pending = {"predictions": [], "labels": []}
        self.repeated = Counter()
        self.labels = 0

    def prediction(self, name, model, at, featured):
        features = {"x": 1.0} if featured else None
        self.log.append(TOPICS.predictions, prediction(name, model, at, features))
        self.pending["predictions"].append((self.oracle.prediction, name, model, at, featured))

    def label(self, name, value, revision, at):
        self.log.append(TOPICS.labels, label(name, value, revision, at))
        self.pending["labels"].append((self.oracle.label, name, value, revision, at))

    def refusal(self, name):
        self.log.append(TOPICS.predictions, refusal(name), headers=AS_ERROR)

    def take(self, of_labels):
        topic = "labels" if of_labels else "predictions"
        known = self.log.join.ledger.inputs[FULL_NAMES[topic]].position or 0
        self.log.take(FULL_NAMES[topic])
        if (self.log.join.ledger.inputs[FULL_NAMES[topic]].position or 0) == known:
            return
        for act, *facts in self.pending[topic]:
            act(*facts)
        self.labels += len(self.pending[topic]) if of_labels else 0
        self.pending[topic].clear()
        self.oracle.pass_time(())

    def crash(self, of_labels):
        """Publish, die before the changelog is written, begin again: outputs come twice."""
        before = len(self.log.published)
        self.log.take(FULL_NAMES["labels" if of_labels else "predictions"], die=True)
        self.repeated.update(self.log.told()[before:])
        self.take(of_labels)

    def restart(self):
        self.log.restart()

    def replay(self, most):
        """Read the last records again that were already taken."""
        for topic in FULL_NAMES.values():
            position = self.log.join.ledger.inputs[topic].position or 0
            records = self.log.records[topic][max(0, position - most) : position]
            self.log.keep(self.log.join.take(topic, position, records))
            self.oracle.counts["replayed"] += len(records)
        self.oracle.pass_time(())

    def sweep(self, finished):
        self.log.sweep([FULL_NAMES[topic] for topic in finished])
        self.oracle.pass_time(finished)


@given(STEPS)
@settings(max_examples=300)
def test_the_join_agrees_with_its_oracle_whatever_comes_in_whatever_order(steps):
    both = Rehearsal()

    for verb, *facts in steps:
        getattr(both, verb)(*facts)

    told = Counter(both.log.told())
    counts = both.log.join.ledger.counts
    assert told - both.repeated == Counter(both.oracle.said)
    assert +counts - Counter(refused=counts["refused"]) == +both.oracle.counts
    labels = sum(counts[it] for it in ("joined", "late", "orphan", "duplicate", "revised"))
    event(f"labels joined: {counts['joined']}")
    assert labels + both.oracle.waiting_labels() == both.labels
