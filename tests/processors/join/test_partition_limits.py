"""What a partition of the join survives: hostile records, too many of them, and its own faults."""

import json
import tracemalloc

import pytest

from modstream.broker.errors import ProcessKilled
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.record_size import MAX_KEY_BYTES, fits
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Header
from modstream.processors.join import arrivals, partition
from modstream.processors.join.entries import ENTRY_BYTES
from modstream.processors.join.settings import EntryLimits
from modstream.processors.join.state_machine import MAX_MODELS
from modstream.processors.join.transitions import JoinCounter
from tests.processors.join.join_log import (
    FEATURES,
    HORIZON,
    NOW,
    OUT_OF_ORDERNESS,
    TOPICS,
    JoinHarness,
    label,
    prediction,
)

HUGE = b"1" + b"0" * 400
HOSTILE_LABELS = {
    "event time": b'{"id":"a","label":1,"event_time":%b}' % HUGE,
    "negative event time": b'{"id":"a","label":1,"event_time":-%b}' % HUGE,
    "label": b'{"id":"a","label":%b,"event_time":1}' % HUGE,
    "float label": b'{"id":"a","label":1e999,"event_time":1}',
    "revision": b'{"id":"a","label":1,"event_time":1,"revision":%b}' % HUGE,
    "row": b'{"id":"a","label":1,"event_time":1,"row":%b}' % HUGE,
    "negative row": b'{"id":"a","label":1,"event_time":1,"row":-1}',
    "text": b'{"id":"a","label":"%b","event_time":1}' % (b"x" * 60_000),
    "nested": b'{"id":"a","label":%b%b,"event_time":1}' % (b"[" * 10_000, b"]" * 10_000),
    "large": b'{"id":"a","label":1,"event_time":1}' + b" " * 17_000_000,
    "surrogate": b'{"id":"\\ud800","label":1,"event_time":1}',
    "surrogate and fault": b'{"id":"\\ud800","label":[],"event_time":1}',
    "not UTF-8": b'{"id":"\xff","label":1,"event_time":1}',
    "no value": None,
    "no id": b'{"label":1,"event_time":1}',
    "not an object": b"[]",
}


@pytest.mark.parametrize("name", HOSTILE_LABELS)
def test_hostile_label_has_one_exit_and_its_neighbours_are_joined(name):
    harness = JoinHarness()
    for entry_id in ("before", "after"):
        harness.append(TOPICS.predictions, prediction(entry_id, features=FEATURES))
    harness.append(TOPICS.labels, label("before"))
    harness.append_value(TOPICS.labels, HOSTILE_LABELS[name])
    harness.append(TOPICS.labels, label("after"))

    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)
    harness.advance_time(())

    assert [one["id"] for one in harness.feedback()] == ["before", "after"]
    assert len(harness.letters()) + len(harness.unjoined()) == 1
    assert harness.join.state.counts[JoinCounter.MALFORMED] == 1
    assert all(map(fits, harness.published))


def test_malformed_label_with_an_id_says_what_is_wrong_with_it():
    harness = JoinHarness()
    harness.append_value(TOPICS.labels, b'{"id":"a","label":1}')

    harness.process(TOPICS.labels)

    (record,) = harness.published
    message = json.loads(record.value)
    assert (message["id"], message["reason"], record.key) == ("a", "malformed", b"key")
    assert "event_time" in message["detail"]


def test_dead_letter_of_a_label_has_its_place_and_is_cut():
    harness = JoinHarness()
    harness.append_value(TOPICS.labels, HOSTILE_LABELS["large"])

    harness.process(TOPICS.labels)

    (letter,) = harness.letters()
    cause = read_cause(letter)
    assert (cause["topic"], cause["offset"], cause["class.name"]) == (
        TOPICS.labels,
        "0",
        "too_large",
    )
    assert dict(letter.headers)[Header.ORIGINAL_SIZE] == b"%d" % len(HOSTILE_LABELS["large"])
    assert fits(letter)


def test_offsets_that_cannot_be_read_become_a_dead_letter_with_their_place():
    harness = JoinHarness()
    harness.append_value(TOPICS.labels, None, headers=((Header.SKIPPED, b"3-7"),))

    harness.process(TOPICS.labels)

    (letter,) = harness.letters()
    assert read_cause(letter)["class.name"] == "unreadable"
    assert "3-7" in read_cause(letter)["exception.message"]


@pytest.mark.parametrize("topic", [TOPICS.predictions, TOPICS.labels])
def test_key_of_16_megabytes_does_not_make_messages_too_large(topic):
    harness = JoinHarness()
    key = b"k" * (MAX_RECORD_BYTES - 1000)
    harness.append(topic, prediction("a") if topic == TOPICS.predictions else label("a"), key=key)
    (other,) = harness.records.keys() - {topic}
    harness.append(other, label("a") if topic == TOPICS.predictions else prediction("a"), key=key)

    harness.process(topic)
    harness.process(other)

    (feedback,) = harness.published
    assert len(feedback.key or b"") <= MAX_KEY_BYTES
    assert sum(map(len, harness.changelog.values())) < 10_000


def test_unforeseen_exception_costs_its_own_record_only(monkeypatch):
    harness = JoinHarness()
    rows_of = arrivals.rows_of

    def fail_for_b(message):
        if message.id == "b":
            raise ZeroDivisionError("secret")
        return rows_of(message)

    monkeypatch.setattr(arrivals, "rows_of", fail_for_b)
    for name in "abc":
        harness.append(TOPICS.predictions, prediction(name))
        harness.append(TOPICS.labels, label(name))

    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)

    (letter,) = harness.letters()
    cause = read_cause(letter)
    assert (cause["offset"], cause["class.name"]) == ("1", "internal_error")
    assert cause["exception.class.name"] == "ZeroDivisionError"
    assert "secret" not in str(cause)
    assert [one["id"] for one in harness.feedback()] == ["a", "c"]
    assert harness.join.state.counts[JoinCounter.INTERNAL_ERROR] == 1


def test_record_that_fails_half_way_changes_nothing(monkeypatch):
    harness = JoinHarness()
    harness.append(TOPICS.labels, label("a", row=1))
    harness.append(TOPICS.labels, label("a", value="no", row=2))
    harness.process(TOPICS.labels)
    before = dict(harness.join.entries)
    rows = tuple({"probability": 0.5} for _ in range(3))
    harness.append(TOPICS.predictions, prediction("a", outputs=rows))
    encoded = []

    def fail_for_the_second(message):
        encoded.append(message)
        if len(encoded) == 2:
            raise RuntimeError
        return b"{}"

    monkeypatch.setattr("modstream.processors.join.changes.encode", fail_for_the_second)
    harness.process(TOPICS.predictions)

    assert harness.join.entries == before
    assert harness.feedback() == []
    assert len(harness.letters()) == 1
    assert harness.join.state.label_stats.versions == {}
    assert harness.join.state.counts == {JoinCounter.INTERNAL_ERROR: 1}


def test_entry_that_cannot_expire_is_dropped(monkeypatch):
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("a", at=0))
    harness.append(TOPICS.predictions, prediction("b", at=1 + HORIZON + OUT_OF_ORDERNESS))
    harness.process(TOPICS.predictions)

    def fail(_message):
        raise RuntimeError

    monkeypatch.setattr("modstream.processors.join.changes.encode", fail)
    harness.advance_time()

    assert set(harness.join.entries) == {"b"}
    assert harness.join.state.counts == {JoinCounter.INTERNAL_ERROR: 1}


def test_entry_that_cannot_be_written_is_dropped_and_the_others_are_kept(monkeypatch):
    harness = JoinHarness()
    encode_entry = partition._encode_entry

    def fail_for_b(entry):
        if entry.id == "b":
            raise RuntimeError
        return encode_entry(entry)

    monkeypatch.setattr(partition, "_encode_entry", fail_for_b)
    for name in "abc":
        harness.append(TOPICS.predictions, prediction(name))

    harness.process(TOPICS.predictions)

    assert set(harness.join.entries) == {"a", "c"}
    assert set(harness.changelog) == {b"a", b"c", b""}


SCHEMA = b'"schema_version":1,"id":"a","model":"m","version":1'
SOURCE_JSON = b'"source":{"topic":"t","partition":0,"offset":0}'
HOSTILE_PREDICTIONS = {
    "event time": b'{%b,"outputs":{"p":1},"event_time":%b,%b}' % (SCHEMA, HUGE, SOURCE_JSON),
    "version": b'{"id":"a","model":"m","version":%b,"outputs":{"p":1},%b}' % (HUGE, SOURCE_JSON),
    "output": b'{%b,"outputs":{"p":%b},%b}' % (SCHEMA, HUGE, SOURCE_JSON),
    "deep output": b'{%b,"outputs":{"p":%b1%b},%b}'
    % (SCHEMA, b"[" * 5000, b"]" * 5000, SOURCE_JSON),
    "feature": b'{%b,"outputs":{"p":1},"features":{"x":%b},%b}' % (SCHEMA, HUGE, SOURCE_JSON),
    "text probabilities": b'{%b,"outputs":[{"name":"probabilities","shape":[1,2],"datatype":"FP64",'
    b'"data":["x",null],"parameters":{"columns":["a","b"]}},{"name":"label","shape":[1],'
    b'"datatype":"BYTES","data":[{}]}],%b}' % (SCHEMA, SOURCE_JSON),
    "no outputs": b'{%b,"outputs":[],%b}' % (SCHEMA, SOURCE_JSON),
    "compact": b'{%b,"outputs":[{"p":1}],"features":{"names":[],"rows":1000000,"data":[]},%b}'
    % (SCHEMA, SOURCE_JSON),
    "surrogate": b'{"id":"\\ud800","model":"m","version":1,"outputs":{},%b}' % SOURCE_JSON,
    "no value": None,
    "huge": b" " * 16_000_000,
}


@pytest.mark.parametrize("headers", [(), ((Header.KIND, b"error"),)])
@pytest.mark.parametrize("name", HOSTILE_PREDICTIONS)
def test_hostile_response_costs_its_neighbours_nothing(name, headers):
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("before"))
    harness.append_value(TOPICS.predictions, HOSTILE_PREDICTIONS[name], headers=headers)
    harness.append(TOPICS.predictions, prediction("after"))
    for entry_id in ("before", "a", "after"):
        harness.append(TOPICS.labels, label(entry_id))

    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)
    harness.advance_time(())
    harness.restart()

    assert {one["id"] for one in harness.feedback()} >= {"before", "after"}
    assert all(map(fits, harness.published))
    counts = harness.join.state.counts
    assert (
        sum(counts[one] for one in ("joined", "unlabellable", "malformed", "internal_error")) >= 3
    )


def test_oldest_labels_leave_as_orphans_if_there_are_too_many():
    harness = JoinHarness(EntryLimits(max_orphans=3))
    harness.append(TOPICS.predictions, prediction("p"))
    for number in range(5):
        harness.append(TOPICS.labels, label(f"l{number}"))

    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)

    assert harness.unjoined() == [("l0", None, "orphan", "yes"), ("l1", None, "orphan", "yes")]
    assert all("evicted" in json.loads(one.value)["detail"] for one in harness.published)
    assert set(harness.join.entries) == {"p", "l2", "l3", "l4"}
    assert harness.join.state.counts[JoinCounter.EVICTED] == 2
    assert set(harness.changelog) == {b"p", b"l2", b"l3", b"l4", b""}


def test_labels_leave_early_if_they_are_too_large():
    harness = JoinHarness(EntryLimits(max_orphan_bytes=2 * ENTRY_BYTES + 100))
    for number in range(3):
        harness.append(TOPICS.labels, label(f"l{number}", value="x" * 30))

    harness.process(TOPICS.labels)

    assert [name for name, *_ in harness.unjoined()] == ["l0"]


def test_oldest_rows_leave_if_there_are_too_many():
    harness = JoinHarness(EntryLimits(max_entries=2))
    harness.append(TOPICS.predictions, prediction("joined"))
    harness.append(TOPICS.labels, label("joined"))
    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)
    for name in ("p0", "p1", "p2"):
        harness.append(TOPICS.predictions, prediction(name))

    harness.process(TOPICS.predictions)

    assert harness.unjoined() == [("p0", None, "missing", None)]
    assert set(harness.join.entries) == {"p1", "p2"}
    assert harness.join.state.counts[JoinCounter.EVICTED] == 2


def test_evicted_label_can_be_sent_again_and_joined():
    harness = JoinHarness(EntryLimits(max_orphans=1))
    for name in ("a", "b", "a"):
        harness.append(TOPICS.labels, label(name))
        harness.process(TOPICS.labels)
    harness.append(TOPICS.predictions, prediction("a"))

    harness.process(TOPICS.predictions)

    assert [one["id"] for one in harness.feedback()] == ["a"]


@pytest.mark.slow
def test_labels_without_a_prediction_need_bounded_memory():
    harness = JoinHarness(EntryLimits(max_orphans=2000))
    tracemalloc.start()
    try:
        for chunk in range(12):
            for number in range(500):
                name = f"{chunk * 500 + number:032x}"
                harness.append(TOPICS.labels, label(name), key=name.encode())
            harness.process(TOPICS.labels)
            harness.records[TOPICS.labels] = Forgetful(harness.records[TOPICS.labels])
            harness.changelog.clear()
            harness.log.clear()
            harness.published = []
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(harness.join.entries) == 2000
    assert size < 2000 * 1100


class Forgetful(list):
    """A list of records that keeps its length and forgets what it holds."""

    def __init__(self, records):
        super().__init__([None] * len(records))


def test_id_that_thousands_of_models_answer_is_bounded():
    harness = JoinHarness()
    for number in range(1000):
        harness.append(TOPICS.predictions, prediction("a", model=f"m{number}"))
    harness.append(TOPICS.labels, label("a"))

    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)

    (one,) = harness.feedback()
    assert len(one["predictions"]) == MAX_MODELS
    assert harness.join.state.counts[JoinCounter.REFUSED] == 1000 - MAX_MODELS


def test_feedback_that_is_too_large_is_told_with_the_place_of_its_prediction():
    harness = JoinHarness()
    text = "x" * 10_000
    wide = {f"f{number}": text for number in range(400)}
    big = prediction("a", features=wide)
    for model in ("m0", "m1", "m2", "m3"):
        outputs = {f"o{number}": text for number in range(400)}
        harness.append(TOPICS.predictions, prediction("a", model=model, outputs=outputs))
    harness.append(TOPICS.predictions, big)
    harness.append(TOPICS.labels, label("a"))
    harness.append(TOPICS.predictions, prediction("b"))
    harness.append(TOPICS.labels, label("b"))

    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)

    assert [one["id"] for one in harness.feedback()] == ["b"]
    assert harness.unjoined() == [("a", None, "too_large", "yes")]
    told = [json.loads(one.value) for one in harness.published if one.topic == TOPICS.unjoined]
    assert f"{TOPICS.predictions}:0:4" in told[0]["detail"]
    assert all(len(value) < MAX_RECORD_BYTES for value in harness.changelog.values())
    assert all(map(fits, harness.published))


def test_topic_that_takes_less_than_others_is_measured_by_its_own_limit():
    limits = RecordLimits({TOPICS.feedback: 5000, TOPICS.dlq: 5000})
    harness = JoinHarness(record_limits=limits)
    harness.append(TOPICS.predictions, prediction("a", features={"x": "y" * 6000}))
    harness.append(TOPICS.labels, label("a"))
    harness.append_value(TOPICS.labels, b"?" * 6000)

    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)

    assert harness.unjoined() == [("a", None, "too_large", "yes")]
    assert f"{TOPICS.predictions}:0:0" in json.loads(harness.published[0].value)["detail"]
    assert [fits(letter, 5000) for letter in harness.letters()] == [True]


def test_label_whose_record_has_no_time_waits_like_others():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("other", at=NOW - HORIZON))
    harness.append(TOPICS.labels, label("other", at=NOW - HORIZON))
    harness.append(TOPICS.labels, label("a", at=NOW))
    harness.records[TOPICS.labels][-1] = harness.records[TOPICS.labels][-1]._replace(timestamp=-1)
    harness.append(TOPICS.predictions, prediction("a", at=NOW))
    harness.process(TOPICS.labels)
    harness.advance_time()

    harness.process(TOPICS.predictions)

    assert {one["id"] for one in harness.feedback()} == {"a", "other"}


def test_label_of_an_old_event_waits_for_a_prediction_that_is_read_later():
    """As with predictions whose event time is the wall clock, and labels that name an old time."""
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("other", at=NOW))
    harness.process(TOPICS.predictions)
    for name in ("a", "b"):
        harness.append(TOPICS.labels, label(name, at=50))
    harness.process(TOPICS.labels)
    harness.advance_time()
    harness.append(TOPICS.predictions, prediction("a", at=NOW + 1))
    harness.process(TOPICS.predictions)
    harness.advance_time()
    assert [one["id"] for one in harness.feedback()] == ["a"]
    assert harness.unjoined() == []

    harness.append(TOPICS.predictions, prediction("later", at=NOW + 1 + 2 * HORIZON))
    records = harness.records[TOPICS.predictions]
    records[-1] = records[-1]._replace(timestamp=NOW + 1 + 2 * HORIZON)
    harness.process(TOPICS.predictions)
    harness.advance_time()

    assert ("b", None, "orphan", "yes") in harness.unjoined()


@pytest.mark.parametrize("at", [NOW * 10**6, 253402300799999])
def test_label_of_the_far_future_is_an_orphan_like_others(at):
    harness = JoinHarness()
    harness.append(TOPICS.labels, label("a", at=at))
    harness.process(TOPICS.labels)
    (entry,) = harness.join.entries.values()
    later = NOW + 2 * 3600 * 1000 + HORIZON
    records = harness.records[TOPICS.labels]
    harness.append(TOPICS.labels, label("b", at=later))
    records[-1] = records[-1]._replace(timestamp=later)
    harness.append(TOPICS.predictions, prediction("c", at=later))
    harness.records[TOPICS.predictions][-1] = harness.records[TOPICS.predictions][-1]._replace(
        timestamp=later
    )

    harness.process(TOPICS.labels)
    harness.process(TOPICS.predictions)

    assert entry.label.event_time == at
    assert harness.unjoined() == [("a", None, "orphan", "yes")]


def test_record_that_is_set_aside_is_one_dead_letter_though_it_is_read_again():
    harness = JoinHarness()
    harness.append(TOPICS.labels, label("deadly"))
    harness.append(TOPICS.labels, label("after"))
    deadly, after = harness.records[TOPICS.labels]
    for _ in range(2):
        cause = ProcessKilled(2, "Segmentation fault")
        harness.store(harness.join.set_aside(TOPICS.labels, deadly, cause))
        harness.store(harness.join.process(TOPICS.labels, after.offset + 1, [after]))

    assert [letter.value for letter in harness.letters()] == [deadly.value]
    assert harness.join.state.inputs[TOPICS.labels].position == 2
    assert harness.join.state.counts[JoinCounter.INTERNAL_ERROR] == 1
    assert harness.join.state.counts[JoinCounter.REPLAYED] == 2
