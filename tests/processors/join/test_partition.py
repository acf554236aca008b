"""The join of one partition: its output, its state, and the passing of event time."""

import json

import pytest

from modstream.processors.join.partition import MAX_CHANGES, STATE_KEY
from modstream.processors.join.transitions import JoinCounter
from tests.processors.join.join_log import (
    ERROR_HEADERS,
    FEATURES,
    HORIZON,
    NOW,
    OUT_OF_ORDERNESS,
    TOPICS,
    JoinHarness,
    error_response,
    label,
    prediction,
    summarize,
)


def test_state_restored_from_the_changelog_is_complete():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("a", features=FEATURES), key=b"\xff\x00")
    harness.append(TOPICS.predictions, prediction("b", model="frozen"), key=None)
    harness.append(TOPICS.labels, label("c", value=1.0, revision=2))
    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)
    before = harness.join

    harness.restart()

    assert harness.join.entries == before.entries
    assert harness.join.state == before.state
    assert harness.join.open_count == before.open_count == 3


def test_a_changelog_of_an_earlier_version_is_restored():
    entry = {
        "id": "a",
        "key": "aw==",
        "state": "joined",
        "event_time": 7,
        "sent": [{"model": "m", "version": 3, "outputs": {"probability": 0.5}}],
        "features_gone": True,
        "models": ["m"],
        "predicted_at": 41,
        "labelled_at": 12,
    }
    state = {
        "inputs": {TOPICS.predictions: {"position": 42, "newest": 7}, TOPICS.labels: {}},
        "watermark": 5,
        "counts": {"joined": 1},
        "figures": {"delays": {"100": 1}, "versions": {"m/3": {"predicted": 1, "labelled": 1}}},
    }
    join = JoinHarness().join

    join.restore(b"a", json.dumps(entry).encode())
    join.restore(STATE_KEY, json.dumps(state).encode())

    restored = join.entries["a"]
    assert [one.version for one in restored.joined_predictions] == [3]
    assert restored.features_sent
    assert (restored.last_prediction_offset, restored.last_label_offset) == (41, 12)
    assert join.state.inputs[TOPICS.predictions].max_event_time == 7
    assert join.state.label_stats.delays == {100: 1}


def test_last_row_of_every_batch_is_the_state_row():
    harness = JoinHarness()
    harness.append(TOPICS.labels, label())
    harness.process(TOPICS.labels)

    output = harness.join.advance_time((TOPICS.predictions, TOPICS.labels))

    key, value = output.changelog_rows[-1]
    assert key == STATE_KEY
    assert value is not None


@pytest.mark.parametrize("first", [TOPICS.predictions, TOPICS.labels])
def test_label_of_a_request_with_an_error_response_is_told_so(first):
    harness = JoinHarness()
    harness.append(TOPICS.predictions, error_response("a"), headers=ERROR_HEADERS)
    harness.append(TOPICS.labels, label("a", at=50))
    for topic in sorted(harness.records, key=lambda topic: topic != first):
        harness.process(topic)

    harness.advance_time(())

    assert harness.join.state.counts == {JoinCounter.REFUSED: 1, JoinCounter.UNLABELLABLE: 1}
    assert harness.unjoined() == [("a", None, "refused", "yes")]
    assert json.loads(harness.published[0].value)["detail"] == "invalid: no"


def test_label_waits_for_another_model_than_the_one_that_refused():
    harness = JoinHarness()
    harness.append(TOPICS.labels, label("a"))
    harness.append(TOPICS.predictions, error_response("a"), headers=ERROR_HEADERS)
    harness.append(TOPICS.predictions, prediction("a", model="frozen"))
    harness.process(TOPICS.labels)
    harness.process(TOPICS.predictions)

    harness.advance_time(())

    assert [message[:2] for message in harness.messages()] == [("a", "joined")]


@pytest.mark.parametrize("topic", [TOPICS.predictions, TOPICS.labels])
def test_record_that_violates_its_contract_is_counted_and_skipped(topic):
    harness = JoinHarness()
    harness.append(topic, b"{]")
    harness.append(topic, b'{"id": 3}')

    harness.process(topic)

    assert harness.join.state.counts == {JoinCounter.MALFORMED: 2}
    assert harness.join.state.inputs[topic].position == 2
    assert [letter.value for letter in harness.letters()] == [b"{]", b'{"id": 3}']


def test_message_of_an_expired_entry_has_the_key_of_its_request():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("a", at=0), key=b"customer-7")
    harness.append(TOPICS.predictions, prediction("b", at=1 + HORIZON + OUT_OF_ORDERNESS))
    harness.process(TOPICS.predictions)

    harness.advance_time()

    assert [(record.topic, record.key) for record in harness.published] == [
        (TOPICS.unjoined, b"customer-7")
    ]


def test_watermark_is_that_of_the_slower_input_until_it_is_finished():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("a", at=500))
    harness.append(TOPICS.labels, label("b", at=200))

    harness.process(TOPICS.predictions)
    without_labels = harness.join.state.watermark
    harness.process(TOPICS.labels)
    slower = harness.join.state.watermark
    harness.advance_time((TOPICS.labels,))

    assert (without_labels, slower, harness.join.state.watermark) == (0, 190, 490)


def test_watermark_of_a_finished_stream_advances_only_by_the_idle_time():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("a", at=500))
    harness.process(TOPICS.predictions)
    harness.advance_time()
    both = (TOPICS.predictions, TOPICS.labels)

    still = harness.join.advance_time(both, idle_ms=0)
    moved = harness.join.advance_time(both, idle_ms=HORIZON + OUT_OF_ORDERNESS + 1)

    assert still.records == []
    assert [summarize(record)[:2] for record in moved.records] == [("a", "missing")]


def test_event_time_in_the_far_future_does_not_expire_other_entries():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("a", at=NOW))
    harness.append(TOPICS.predictions, prediction("b", at=NOW * 1000))
    harness.process(TOPICS.predictions)

    harness.advance_time()

    assert harness.join.state.watermark == NOW
    assert harness.published == []


def test_input_is_ahead_if_the_other_is_older_by_more_than_the_out_of_orderness():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("a", at=100))
    harness.append(TOPICS.labels, label("a", at=100 - OUT_OF_ORDERNESS))
    harness.process(TOPICS.predictions)

    assert harness.join.is_ahead(TOPICS.predictions)

    harness.process(TOPICS.labels)

    assert not harness.join.is_ahead(TOPICS.predictions)
    assert not harness.join.is_ahead(TOPICS.labels)


def test_memory_is_bounded_by_the_horizon():
    harness = JoinHarness()
    for number in range(2000):
        harness.append(TOPICS.predictions, prediction(f"r{number}", at=number * 10))
        harness.append(TOPICS.labels, label(f"r{number}", at=number * 10))
        if number % 50 == 0:
            harness.process(TOPICS.predictions)
            harness.process(TOPICS.labels)
            harness.advance_time()

    assert len(harness.join.entries) < 100
    assert len(harness.join._entries._due) < 1400
    assert len(harness.join._entries._by_age) < 1400


@pytest.mark.slow
def test_backlog_of_expired_entries_is_processed_in_batches():
    harness = JoinHarness()
    for number in range(MAX_CHANGES + 1):
        harness.append(TOPICS.predictions, prediction(f"r{number}", at=0))
    harness.append(TOPICS.predictions, prediction("b", at=1 + HORIZON + OUT_OF_ORDERNESS))
    harness.process(TOPICS.predictions)

    harness.advance_time()
    first = len(harness.published)
    harness.advance_time()

    assert (first, len(harness.published)) == (MAX_CHANGES, MAX_CHANGES + 1)
