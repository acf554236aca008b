"""The late-label join without a broker: its rules one by one, and against an oracle."""

import json
from collections import Counter

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from broker.codec import encode
from broker.contracts import ErrorAnswer, Label, Prediction, Source
from broker.names import Header, Topics
from broker.records import Record
from processors.join import Arrival, Count, State, due, expire, on_label, on_prediction
from processors.join_state import LEDGER_KEY, Partition
from tests.processors.join_oracle import Oracle

HORIZON = 100
DISORDER = 10
TOPICS = Topics("flights")
SOURCE = Source(topic=TOPICS.requests, partition=0, offset=0)
FEATURES = {"distance": 1400.0, "carrier": "UA", "night": False, "gate": None}


def prediction(name="a", model="online", at=0, features=None, outputs=None):
    return Prediction(
        id=name, model=model, version=3, outputs=outputs or {"probability": 0.25},
        features=features, event_time=at, source=SOURCE,
    )  # fmt: skip


def label(name="a", value="yes", revision=0, at=50):
    return Label(id=name, label=value, revision=revision, event_time=at)


def arrival(offset, key=b"key"):
    return Arrival(offset, key, timestamp=7)


def waiting_prediction(**fields):
    return on_prediction(None, prediction(**fields), arrival(0)).entry


def joined_entry(**fields):
    return on_label(waiting_prediction(**fields), label(), arrival(0)).entry


def test_a_label_that_comes_after_its_prediction_is_joined():
    waiting = waiting_prediction(at=20, features=FEATURES)

    step = on_label(waiting, label(value=True, at=50), arrival(0))

    assert step.counted is Count.JOINED
    assert step.output.label is True
    assert step.output.features == FEATURES
    assert [(p.model, p.version) for p in step.output.predictions] == [("online", 3)]
    assert (step.output.event_time, step.output.label_time) == (20, 50)


def test_a_label_that_comes_before_its_prediction_waits_for_it():
    held = on_label(None, label(), arrival(0))

    step = on_prediction(held.entry, prediction(features=FEATURES), arrival(0))

    assert held.output is None
    assert step.counted is Count.JOINED
    assert step.output.features == FEATURES


def test_a_label_meets_all_predictions_of_the_route_known_so_far():
    both = on_prediction(waiting_prediction(), prediction(model="frozen"), arrival(1)).entry

    step = on_label(both, label(), arrival(0))

    assert [scored.model for scored in step.output.predictions] == ["online", "frozen"]


def test_a_model_that_answers_after_the_join_follows_alone_and_counts_no_second_label():
    joined = joined_entry(features=FEATURES)

    step = on_prediction(joined, prediction(model="frozen"), arrival(1))

    assert [scored.model for scored in step.output.predictions] == ["frozen"]
    assert step.output.features is None
    assert step.counted is None


def test_features_that_come_late_travel_once():
    joined = joined_entry(model="frozen", features=None)

    first = on_prediction(joined, prediction(model="online", features=FEATURES), arrival(1))
    second = on_prediction(first.entry, prediction(model="other", features=FEATURES), arrival(2))

    assert first.output.features == FEATURES
    assert second.output.features is None


def test_a_prediction_without_event_time_happened_when_its_record_was_made():
    timeless = prediction().model_copy(update={"event_time": None})

    step = on_prediction(None, timeless, arrival(0))

    assert step.entry.event_time == 7


def test_a_prediction_whose_label_is_away_past_the_horizon_is_missing():
    waiting = waiting_prediction(at=20)

    just_not = expire(waiting, 20 + HORIZON, HORIZON)
    step = expire(waiting, 21 + HORIZON, HORIZON)

    assert just_not.entry is waiting
    assert (step.counted, step.entry.state) == (Count.MISSING, State.GIVEN_UP)
    assert step.output.event_time == 20


def test_a_label_for_a_prediction_that_was_given_up_is_late():
    given_up = expire(waiting_prediction(), HORIZON + 1, HORIZON).entry

    step = on_label(given_up, label(), arrival(0))

    assert (step.counted, step.output.reason) == (Count.LATE, "late")


def test_an_entry_that_was_given_up_is_dropped_a_horizon_later():
    given_up = expire(waiting_prediction(), HORIZON + 1, HORIZON).entry

    assert expire(given_up, 2 * HORIZON, HORIZON).entry is given_up
    assert expire(given_up, 2 * HORIZON + 1, HORIZON).entry is None


def test_a_label_without_prediction_is_an_orphan_after_the_horizon():
    held = on_label(None, label(at=50), arrival(0)).entry

    step = expire(held, 51 + HORIZON, HORIZON)

    assert (step.counted, step.output.label_time) == (Count.ORPHAN, 50)
    assert step.entry is None


def test_a_label_that_arrives_twice_is_counted_once():
    step = on_label(joined_entry(), label(), arrival(1))

    assert (step.counted, step.output.reason) == (Count.DUPLICATE, "duplicate")


@pytest.mark.parametrize(
    ("value", "revision", "counted"),
    [("no", 1, Count.REVISED), ("yes", 1, Count.REVISED), ("no", 0, Count.REVISED)],
)
def test_another_value_or_a_higher_revision_revises_a_label(value, revision, counted):
    step = on_label(joined_entry(), label(value=value, revision=revision), arrival(1))

    assert step.counted is counted
    assert step.output.label == value


def test_a_lower_revision_is_a_duplicate_whatever_its_value():
    revised = on_label(joined_entry(), label(revision=2), arrival(1)).entry

    step = on_label(revised, label(value="no", revision=1), arrival(2))

    assert step.counted is Count.DUPLICATE


def test_a_label_revised_before_its_prediction_came_is_joined_with_its_last_value():
    held = on_label(None, label(value="yes"), arrival(0)).entry
    revised = on_label(held, label(value="no", revision=1), arrival(1)).entry

    step = on_prediction(revised, prediction(), arrival(0))

    assert step.output.label == "no"


def test_a_record_seen_again_at_its_offset_changes_nothing():
    joined = joined_entry()

    assert on_label(joined, label(), arrival(0)) == (joined, None, Count.REPLAYED)
    assert on_prediction(joined, prediction(), arrival(0)) == (joined, None, Count.REPLAYED)


def test_a_request_that_a_model_answers_twice_is_joined_once():
    step = on_prediction(joined_entry(), prediction(), arrival(9))

    assert (step.output, step.counted) == (None, Count.REPLAYED)


def test_an_answer_for_several_rows_cannot_be_joined_to_one_label():
    rows = prediction(outputs=({"probability": 0.1}, {"probability": 0.9}))

    assert on_prediction(None, rows, arrival(0)) == (None, None, Count.REFUSED)


def test_an_entry_is_never_due_before_its_newest_side_has_aged():
    joined = on_label(waiting_prediction(at=80), label(at=30), arrival(0)).entry

    assert due(joined, HORIZON) == 80 + HORIZON


class Log:
    """One partition's two topics, its changelog, and a join that reads and writes them."""

    def __init__(self):
        self.records = {TOPICS.predictions: [], TOPICS.labels: []}
        self.changelog = {}
        self.published = []
        self.join = Partition(TOPICS, HORIZON, DISORDER)

    def append(self, topic, message, key=b"key", headers=()):
        value = message if isinstance(message, bytes) else encode(message)
        log = self.records[topic]
        log.append(Record(topic, 0, len(log), key, value, headers))

    def take(self, topic, start=None, *, die=False):
        position = self.join.ledger.inputs[topic].position or 0
        records = self.records[topic][position if start is None else start :]
        if records:
            self.keep(self.join.take(topic, records[-1].offset + 1, records), die=die)

    def sweep(self, finished=(TOPICS.predictions, TOPICS.labels)):
        self.keep(self.join.sweep(finished))

    def keep(self, changes, *, die=False):
        self.published = [*self.published, *changes.outgoing]
        if die:
            self.restart()
        else:
            self.changelog.update(dict(changes.rows))

    def restart(self):
        self.join = Partition(TOPICS, HORIZON, DISORDER)
        for key, value in self.changelog.items():
            self.join.restore(key, value)

    def told(self):
        return [spoken(outgoing) for outgoing in self.published]


def spoken(outgoing):
    """A message in the oracle's words."""
    message = json.loads(outgoing.value)
    models = tuple(sorted(scored["model"] for scored in message.get("predictions", ())))
    reason = message.get("reason", "joined")
    return message["id"], reason, message.get("label"), models, "features" in message


def test_a_restored_join_is_the_join_that_wrote_the_changelog():
    log = Log()
    log.append(TOPICS.predictions, prediction("a", features=FEATURES), key=b"\xff\x00")
    log.append(TOPICS.predictions, prediction("b", model="frozen"), key=None)
    log.append(TOPICS.labels, label("c", value=1.0, revision=2))
    log.take(TOPICS.predictions)
    log.take(TOPICS.labels)
    before = log.join

    log.restart()

    assert log.join.entries == before.entries
    assert log.join.ledger == before.ledger
    assert log.join.open == before.open == 3


def test_the_last_row_of_every_batch_is_the_partitions_own_and_alive():
    log = Log()
    log.append(TOPICS.labels, label())
    log.take(TOPICS.labels)

    changes = log.join.sweep((TOPICS.predictions, TOPICS.labels))

    key, value = changes.rows[-1]
    assert key == LEDGER_KEY
    assert value is not None


def test_a_refused_request_has_no_prediction_so_its_label_ends_as_an_orphan():
    log = Log()
    refusal = ErrorAnswer(id="a", code="invalid", message="no", source=SOURCE)
    log.append(TOPICS.predictions, refusal, headers=((Header.KIND, b"error"),))
    log.append(TOPICS.labels, label("a", at=50))
    log.append(TOPICS.labels, label("b", at=51 + HORIZON + DISORDER))
    log.take(TOPICS.predictions)
    log.take(TOPICS.labels)

    log.sweep()

    assert log.join.ledger.counts == {Count.REFUSED: 1, Count.ORPHAN: 1}
    assert [told[:2] for told in log.told()] == [("a", "orphan")]


@pytest.mark.parametrize("topic", [TOPICS.predictions, TOPICS.labels])
def test_a_record_that_breaks_its_contract_is_counted_and_passed_over(topic):
    log = Log()
    log.append(topic, b"{]")
    log.append(topic, b'{"id": 3}')

    log.take(topic)

    assert log.join.ledger.counts == {Count.MALFORMED: 2}
    assert log.join.ledger.inputs[topic].position == 2


def test_the_requests_key_travels_even_when_time_is_up():
    log = Log()
    log.append(TOPICS.predictions, prediction("a", at=0), key=b"customer-7")
    log.append(TOPICS.predictions, prediction("b", at=1 + HORIZON + DISORDER))
    log.take(TOPICS.predictions)

    log.sweep()

    assert [(out.topic, out.key) for out in log.published] == [(TOPICS.unjoined, b"customer-7")]


def test_the_watermark_waits_for_the_slower_input_until_it_is_read_to_its_end():
    log = Log()
    log.append(TOPICS.predictions, prediction("a", at=500))
    log.append(TOPICS.labels, label("b", at=200))

    log.take(TOPICS.predictions)
    unknown = log.join.ledger.watermark
    log.take(TOPICS.labels)
    slower = log.join.ledger.watermark
    log.sweep((TOPICS.labels,))

    assert (unknown, slower, log.join.ledger.watermark) == (0, 190, 490)


def test_the_watermark_of_an_ended_stream_moves_on_only_when_told_to():
    log = Log()
    log.append(TOPICS.predictions, prediction("a", at=500))
    log.take(TOPICS.predictions)
    log.sweep()
    both = (TOPICS.predictions, TOPICS.labels)

    still = log.join.sweep(both, idle_for=0)
    moved = log.join.sweep(both, idle_for=HORIZON + DISORDER + 1)

    assert still.outgoing == []
    assert [spoken(out)[:2] for out in moved.outgoing] == [("a", "missing")]


def test_an_input_is_ahead_when_the_other_is_older_by_more_than_the_disorder():
    log = Log()
    log.append(TOPICS.predictions, prediction("a", at=100))
    log.append(TOPICS.labels, label("a", at=100 - DISORDER))
    log.take(TOPICS.predictions)

    assert log.join.ahead(TOPICS.predictions)

    log.take(TOPICS.labels)

    assert not log.join.ahead(TOPICS.predictions)
    assert not log.join.ahead(TOPICS.labels)


def test_memory_is_bounded_by_the_horizon():
    log = Log()
    for number in range(2000):
        log.append(TOPICS.predictions, prediction(f"r{number}", at=number * 10))
        log.append(TOPICS.labels, label(f"r{number}", at=number * 10))
        if number % 50 == 0:
            log.take(TOPICS.predictions)
            log.take(TOPICS.labels)
            log.sweep()

    assert len(log.join.entries) < 100
    assert len(log.join._due) < 200


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
        answer = ErrorAnswer(id=name, code="invalid", message="no", source=SOURCE)
        self.log.append(TOPICS.predictions, answer, headers=((Header.KIND, b"error"),))

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
