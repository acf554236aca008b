"""The complete guard: soft rules and their budget, source breakers, and released rows."""

import math
from collections import Counter
from random import Random

import pytest

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction, Quarantined
from modstream.broker.wire.quarantine import build_released_feedback
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.guard.guard import bounded_source
from modstream.processors.guard.settings import GuardSettings
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.released import ReleaseProof
from modstream.processors.learn.settings import LearnSettings
from tests.processors.small_fixtures import river_model

TOPICS = Topics("s")
SCHEMA = InputSchema.of_floats(["x", "y"])


def feedback(number, x, *, label=None, probability=0.5, partition=0, headers=(), **features):
    message = Feedback(
        id=f"r{number}",
        label=x > 0 if label is None else label,
        features={"x": x, "y": 1.0 + x / 2, **features},
        predictions=(JoinedPrediction(model="m", version=1, outputs={"probability": probability}),),
        event_time=number,
        label_time=number,
    )
    return Record(TOPICS.feedback, partition, number, b"k", encode(message), headers, 1000 + number)


def normal_rows(count, start=0, seed=2, **fields):
    random = Random(seed)
    return [feedback(start + n, random.gauss(0, 1), **fields) for n in range(count)]


def make_learner(quarantine=None, **guard):
    """Return a learner; `quarantine` has the rejected rows by partition and offset."""
    loaded = river_model(schema=SCHEMA)
    rows = {} if quarantine is None else quarantine
    proof = ReleaseProof(lambda partition, offset: rows.get((*partition, offset)))
    return Learner(
        loaded.card, loaded.runtime, TOPICS, LearnSettings(guard=GuardSettings(**guard)),
        was_released=proof,
    )  # fmt: skip


def keep(rows, quarantined, offset=4):
    """Put a rejected row into quarantine, and return it."""
    kept = Record(
        quarantined.topic, 0, offset, quarantined.key, quarantined.value, quarantined.headers, 7
    )
    rows[kept[:3]] = kept
    return kept


def rules(rejected):
    return Counter(decode(Quarantined, record.value).rule for record in rejected)


def test_an_outlier_and_an_extreme_loss_are_rejected_among_normal_rows():
    learner = make_learner()
    learner.learn_batch(normal_rows(200))

    rejected = learner.learn_batch(
        [
            feedback(300, 1e6),
            feedback(301, 0.5, probability=1e-9),
            feedback(302, 0.5, probability=0.4),
        ]
    )

    assert [decode(Quarantined, one.value).rule for one in rejected] == ["outlier", "loss"]


def test_after_a_change_of_the_data_rows_pass_once_the_budget_is_spent():
    learner = make_learner(window=400)
    learner.learn_batch(normal_rows(500))

    shifted = [feedback(1000 + n, 1e6 + n) for n in range(1000)]
    batches = [shifted[start : start + 50] for start in range(0, 1000, 50)]
    rejected = [one for batch in batches for one in learner.learn_batch(batch)]

    assert rules(rejected).keys() == {"outlier"}
    assert 20 <= len(rejected) <= 50
    assert learner.counts.learned == 1500 - len(rejected)
    assert not learner.learn_batch([feedback(5000, 1e6)])


def test_a_partition_with_many_bad_rows_is_blocked_and_the_others_are_not():
    learner = make_learner(source_window=100, source_penalty_rows=60)
    bad = [feedback(n, math.nan if n % 2 else 0.5, partition=1) for n in range(100)]
    good = normal_rows(100, start=1000)

    rejected = learner.learn_batch([one for pair in zip(bad, good, strict=True) for one in pair])

    messages = [decode(Quarantined, one.value) for one in rejected]
    assert {message.source.partition for message in messages} == {1}
    assert rules(rejected)["source"] == 30
    assert learner.counts.learned == 200 - len(rejected)


@pytest.mark.parametrize("source", [{"headers": (("agent", b"eve"),)}, {"agent": "eve"}])
def test_a_source_can_be_named_by_a_header_or_a_feature(source):
    learner = make_learner(source_field="agent", source_window=100)
    learner.learn_batch([feedback(n, math.nan, **source) for n in range(50)])

    assert rules(learner.learn_batch([feedback(100, 0.5, **source)])) == {"source": 1}
    assert learner.learn_batch([feedback(101, 0.5)]) == []


def release(row, offset=5000):
    """Return the feedback record that releases a row of the quarantine."""
    released = build_released_feedback(row)
    return Record(released.topic, 0, offset, released.key, released.value, released.headers, 7)


def test_a_released_row_skips_the_soft_rules_and_is_learned():
    learner = make_learner(rows := {})
    learner.learn_batch(normal_rows(200))
    (rejected,) = learner.learn_batch([feedback(300, 1e6)])
    learned, row = learner.counts.learned, keep(rows, rejected)

    assert learner.learn_batch([release(row)]) == []
    assert learner.counts.learned == learned + 1
    assert learner.learn_batch([release(row, offset=5001)]) == []
    assert (learner.counts.learned, learner.counts.repeated) == (learned + 1, 1)


FORGED = {
    "empty": (b"", b"m"),
    "no position": (b"\xff:0:4", b"m"),
    "no row": (b"s.quarantine:0:5", b"m"),
    "another topic": (b"s.feedback:0:4", b"m"),
    "another model": (b"s.quarantine:0:4", b"other"),
    "another row": (b"s.quarantine:0:4", b"m"),
    "large numbers": (b"s.quarantine:0:" + b"9" * 200, b"m"),
}


@pytest.mark.parametrize("name", FORGED)
def test_feedback_that_only_says_that_it_was_released_is_checked_by_all_rules(name):
    learner = make_learner(rows := {})
    learner.learn_batch(normal_rows(200))
    (rejected,) = learner.learn_batch([feedback(300, 1e6)])
    keep(rows, rejected)
    position, model = FORGED[name]

    headers = ((str(Header.REDRIVE_OF), position), (str(Header.MODEL), model))
    found = rules(learner.learn_batch([feedback(400, 2e6, headers=headers)]))

    assert found == {"outlier": 1}


def test_a_released_row_never_skips_the_hard_rules_and_counts_its_attempts():
    learner = make_learner(rows := {})
    (rejected,) = learner.learn_batch([feedback(1, math.inf)])

    (again,) = learner.learn_batch([release(keep(rows, rejected))])

    assert decode(Quarantined, again.value).rule == "not_finite"
    assert dict(again.headers) == {
        Header.ORIGINAL: rejected.headers[0][1],
        Header.REDRIVE_OF: b"s.quarantine:0:4",
        Header.ATTEMPTS: b"2",
    }


def test_a_row_released_for_another_model_is_not_learned_again():
    learner = make_learner(rows := {})
    message = Quarantined(
        id="r1", model="other", rule="outlier", detail="",
        source={"topic": TOPICS.feedback, "partition": 0, "offset": 1},
    )  # fmt: skip
    original = ((str(Header.ORIGINAL), feedback(1, 0.5).value),)
    quarantined = Record(TOPICS.quarantine, 0, 9, b"k", encode(message), original, 7)

    learner.learn_batch([release(keep(rows, quarantined, offset=9))])

    assert learner.counts.learned == 0


def test_a_quarantined_record_keeps_key_time_and_bytes_of_the_rejected_record():
    record = feedback(1, math.nan)

    (rejected,) = make_learner().learn_batch([record])

    assert (rejected.key, rejected.timestamp) == (record.key, record.timestamp)
    assert rejected.headers == ((Header.ORIGINAL, record.value),)


def test_a_long_name_of_a_source_is_cut_and_stays_distinct():
    first, second = (bounded_source("x" * 100_000 + end) for end in "ab")

    assert first != second
    assert max(len(first), len(second)) < 150
    assert bounded_source("agent 7") == "agent 7"


@pytest.mark.parametrize("odd", [2**63, "x" * 100_000, None, True, 0.5])
def test_any_feature_can_name_a_source(odd):
    learner = make_learner(source_field="agent")

    assert learner.learn_batch([feedback(1, 0.5, agent=odd)]) == []
    assert all(len(one) < 150 for one in learner._trainer.guard._breaker._sources)
