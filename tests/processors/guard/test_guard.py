"""The guard as a whole: suspicion, allowance, budget, and the way back."""

import math
from collections import Counter
from random import Random

import pytest

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, Quarantined, Scored
from modstream.broker.wire.quarantine import released
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.settings import GuardSettings, LearnSettings
from tests.processors.small_fixtures import river

TOPICS = Topics("s")
SCHEMA = InputSchema.floats(["x", "y"])


def feedback(number, x, *, label=None, probability=0.5, partition=0, headers=(), **more):
    row = {"x": x, "y": 1.0 + x / 2, **more}
    told = Feedback(
        id=f"r{number}",
        label=x > 0 if label is None else label,
        features=row,
        predictions=(Scored(model="m", version=1, outputs={"probability": probability}),),
        event_time=number,
        label_time=number,
    )
    return Record(TOPICS.feedback, partition, number, b"k", encode(told), headers, 1000 + number)


def usual(count, start=0, seed=2, **facts):
    random = Random(seed)
    return [feedback(start + n, random.gauss(0, 1), **facts) for n in range(count)]


def learner(**guard):
    loaded = river(schema=SCHEMA)
    return Learner(loaded.card, loaded.runtime, TOPICS, LearnSettings(guard=GuardSettings(**guard)))


def rules(refused):
    return Counter(decode(Quarantined, out.value).rule for out in refused)


def test_an_outlier_and_an_absurd_loss_are_refused_among_usual_rows():
    pupil = learner()
    pupil.absorb(usual(200))

    refused = pupil.absorb(
        [
            feedback(300, 1e6),
            feedback(301, 0.5, probability=1e-9),
            feedback(302, 0.5, probability=0.4),
        ]
    )

    assert [decode(Quarantined, out.value).rule for out in refused] == ["outlier", "loss"]


def test_a_world_that_has_changed_passes_once_the_allowance_is_spent():
    pupil = learner(window=400)
    pupil.absorb(usual(500))

    moved = [feedback(1000 + n, 1e6 + row) for n, row in enumerate(range(1000))]
    refused = [out for start in range(0, 1000, 50) for out in pupil.absorb(moved[start:][:50])]

    assert rules(refused).keys() == {"outlier"}
    assert 20 <= len(refused) <= 50
    assert pupil.counts.learned == 1500 - len(refused)
    assert not pupil.absorb([feedback(5000, 1e6)])


def test_a_partition_full_of_poison_is_shut_out_and_the_others_are_not():
    pupil = learner(budget_window=100, penalty=60)
    bad = [feedback(n, math.nan if n % 2 else 0.5, partition=1) for n in range(100)]
    good = usual(100, start=1000)

    refused = pupil.absorb([one for pair in zip(bad, good, strict=True) for one in pair])

    told = [decode(Quarantined, out.value) for out in refused]
    assert {one.source.partition for one in told} == {1}
    assert rules(refused)["source"] == 30
    assert pupil.counts.learned == 200 - len(refused)


@pytest.mark.parametrize("facts", [{"headers": (("agent", b"eve"),)}, {"agent": "eve"}])
def test_a_source_can_be_named_by_a_header_or_a_feature(facts):
    pupil = learner(source="agent", budget_window=100)
    pupil.absorb([feedback(n, math.nan, **facts) for n in range(50)])

    assert rules(pupil.absorb([feedback(100, 0.5, **facts)])) == {"source": 1}
    assert pupil.absorb([feedback(101, 0.5)]) == []


def back(out, offset, number=5000, **changes):
    """The feedback that a quarantined record is released as, where it lies then."""
    outgoing = released(Record(out.topic, 0, offset, out.key, out.value, out.headers, 7))
    return Record(outgoing.topic, 0, number, outgoing.key, outgoing.value, outgoing.headers, 7)


def test_a_released_row_skips_the_soft_rules_and_is_learned():
    pupil = learner()
    pupil.absorb(usual(200))
    (refused,) = pupil.absorb([feedback(300, 1e6)])
    before = pupil.counts.learned

    assert pupil.absorb([back(refused, 4)]) == []
    assert pupil.counts.learned == before + 1


def test_a_released_row_never_skips_the_hard_rules_and_counts_its_attempts():
    pupil = learner()
    (refused,) = pupil.absorb([feedback(1, math.inf)])

    (again,) = pupil.absorb([back(refused, 4)])

    assert decode(Quarantined, again.value).rule == "not_finite"
    assert dict(again.headers) == {
        Header.ORIGINAL: refused.headers[0][1],
        Header.REDRIVE_OF: b"s.quarantine:0:4",
        Header.ATTEMPTS: b"2",
    }


def test_a_row_that_was_released_for_another_model_is_not_learned_again():
    pupil = learner()
    other = Quarantined(
        id="r1", model="other", rule="outlier", detail="",
        source={"topic": TOPICS.feedback, "partition": 0, "offset": 1},
    )  # fmt: skip
    original = ((str(Header.ORIGINAL), feedback(1, 0.5).value),)
    row = Record(TOPICS.quarantine, 0, 9, b"k", encode(other), original, 7)
    outgoing = released(row)

    pupil.absorb([Record(outgoing.topic, 0, 9, b"k", outgoing.value, outgoing.headers, 7)])

    assert pupil.counts.learned == 0


def test_a_quarantined_record_keeps_key_time_and_bytes_of_what_was_refused():
    record = feedback(1, math.nan)

    (refused,) = learner().absorb([record])

    assert (refused.key, refused.timestamp) == (record.key, record.timestamp)
    assert refused.headers == ((Header.ORIGINAL, record.value),)
