"""The join of one partition: what it writes, what it remembers, when time passes in it."""

import pytest

from modstream.processors.join.partition import LEDGER_KEY, MOST_CHANGES
from modstream.processors.join.state_machine import Count
from tests.processors.join.join_log import (
    AS_ERROR,
    DISORDER,
    FEATURES,
    HORIZON,
    NOW,
    TOPICS,
    Log,
    label,
    prediction,
    refusal,
    spoken,
)


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
    log.append(TOPICS.predictions, refusal("a"), headers=AS_ERROR)
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


def test_one_event_from_the_far_future_does_not_end_everybodys_horizon():
    log = Log()
    log.append(TOPICS.predictions, prediction("a", at=NOW))
    log.append(TOPICS.predictions, prediction("b", at=NOW * 1000))
    log.take(TOPICS.predictions)

    log.sweep()

    assert log.join.ledger.watermark == NOW
    assert log.published == []


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


def test_a_backlog_of_overdue_entries_is_worked_off_in_batches():
    log = Log()
    for number in range(MOST_CHANGES + 1):
        log.append(TOPICS.predictions, prediction(f"r{number}", at=0))
    log.append(TOPICS.predictions, prediction("b", at=1 + HORIZON + DISORDER))
    log.take(TOPICS.predictions)

    log.sweep()
    first = len(log.published)
    log.sweep()

    assert (first, len(log.published)) == (MOST_CHANGES, MOST_CHANGES + 1)
