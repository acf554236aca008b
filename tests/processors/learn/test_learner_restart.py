"""Repeated feedback, and a learner that continues from a snapshot."""

from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Quarantined
from modstream.processors.learn.settings import LearnSettings
from tests.processors.learn.learner_fixtures import (
    feedback,
    labelled_stream,
    make_learner,
    predictions_of,
    restart,
)


def test_a_row_that_the_joiner_repeats_is_learned_once():
    learner, other = make_learner(), make_learner()
    records = labelled_stream(50)
    again = [record._replace(offset=record.offset + 50) for record in records[30:]]

    learner.learn_batch([*records, *again])
    other.learn_batch(records)

    assert predictions_of(learner) == predictions_of(other)
    assert (learner.counts.learned, learner.counts.repeated) == (50, 20)
    assert learner.offsets == {"s.feedback:0": 100}


def test_after_a_restart_rows_learned_before_are_recognized():
    records = labelled_stream(50)
    before = make_learner()
    before.learn_batch(records)

    after = restart(before)
    after.backfill_ids(records)
    after.learn_batch([records[-1]._replace(offset=50)])

    assert after.counts.learned == 0
    assert after.counts.repeated == 1
    assert predictions_of(after) == predictions_of(before)


def test_the_number_of_remembered_ids_is_bounded():
    learner = make_learner(settings=LearnSettings(dedup_ids=10))

    learner.learn_batch(labelled_stream(100))

    assert len(learner._seen_ids) == 10


def test_a_restart_from_a_snapshot_leads_to_the_same_model():
    records = labelled_stream(400)
    whole = make_learner()
    whole.learn_batch(records)

    first = make_learner()
    first.learn_batch(records[:250])
    resumed = restart(first)
    resumed.learn_batch([one for one in records if one.offset >= first.offsets["s.feedback:0"]])

    assert predictions_of(resumed) == predictions_of(whole)


def test_after_a_restart_the_metrics_include_the_rows_read_before():
    records = labelled_stream(50)
    before = make_learner()
    before.learn_batch(records)

    after = restart(before)
    after.backfill_ids(records)

    assert [one.values for one in after.metrics()] == [one.values for one in before.metrics()]


def test_rows_of_one_request_are_rows_of_their_own():
    learner = make_learner()
    rows = [feedback(7, {"x": float(row), "y": 0.0}, row > 0, row=row) for row in range(3)]
    rows = [one._replace(offset=offset) for offset, one in enumerate(rows)]
    again = rows[1]._replace(offset=3)
    forged = feedback(7, {"x": 5.0, "y": 5.0}, True, row=2)._replace(offset=4)

    rejected = learner.learn_batch([*rows, again, forged])

    assert [decode(Quarantined, one.value).rule for one in rejected] == ["duplicate_id"]
    assert (learner.counts.learned, learner.counts.repeated) == (3, 1)


def test_a_row_without_a_number_is_the_first_row():
    learner = make_learner()
    row = feedback(7, {"x": 1.0, "y": 0.0}, True)
    first = feedback(7, {"x": 1.0, "y": 0.0}, True, row=0)._replace(offset=8)

    assert learner.learn_batch([row, first]) == []
    assert (learner.counts.learned, learner.counts.repeated) == (1, 1)


def test_long_ids_are_remembered_by_their_hashes():
    learner = make_learner()
    ids = [f"{'x' * 250}{number}" for number in range(20)]
    records = [
        feedback(number, {"x": 1.0, "y": 0.0}, True, id=name) for number, name in enumerate(ids)
    ]

    learner.learn_batch([*records, *(one._replace(offset=one.offset + 20) for one in records)])

    assert (learner.counts.learned, learner.counts.repeated) == (20, 20)
    assert max(map(len, learner._seen_ids._fingerprints)) == 16
