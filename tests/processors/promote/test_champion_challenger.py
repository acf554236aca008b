"""A family on one stream of feedback: tested before it learns, judged by its gate."""

import numpy as np
import pytest

from bench.gate import Flip, small_family, synthetic
from bench.simulation import Rehearsal
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, Quarantined
from modstream.broker.wire.records import Record
from modstream.processors.learn.learner import untested
from modstream.processors.promote.champion_challenger import Family, is_ahead
from modstream.processors.promote.gate import GOOD
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_rollback import Still

SOON = GateSettings(ripe=500, cool_down=1000)


def records(rows, first=0):
    labels = (row for row in rows if row.is_label)
    for offset, row in enumerate(labels, first):
        message = Feedback(
            id=str(offset), label=row.truth, features=row.features, predictions=(),
            event_time=row.at, label_time=row.at,
        )  # fmt: skip
        yield Record("s.feedback", 0, offset, b"k", encode(message))


def answers_of(member):
    rows = [{"x": 1.0, "y": 1.0}, {"x": -1.0, "y": 0.5}]
    return member.runtime.predict(member.card.input_schema.batch(rows).batch).tolist()


def test_members_learn_what_they_would_have_learned_alone():
    family, alone = small_family(GateSettings(), 0.02, 0.1), small_family(GateSettings(), 0.1)
    lessons = list(records(synthetic(1, 300)))

    assert list(family.absorb(lessons)) == []
    list(alone.absorb(lessons))

    assert answers_of(family.learners["rate-0.1"]) == answers_of(alone.learners["rate-0.1"])


def test_all_members_are_tested_before_any_of_them_learns():
    family = small_family(GateSettings(), 0.02, 0.1)

    list(family.absorb(list(records(synthetic(1, 200)))))

    paired = family.gate.trials["rate-0.1"]
    assert 50 < paired.count <= 100
    assert paired.champion == paired.challenger == paired.count / 2


def test_members_may_be_compared_by_how_sure_they_are_too():
    family = small_family(GateSettings(loss="score"), 0.02, 0.1)

    list(family.absorb(list(records(synthetic(1, 200)))))

    paired = family.gate.trials["rate-0.1"]
    assert (paired.count, paired.champion, paired.challenger) == (200, 50.0, 50.0)


def test_a_refused_row_is_told_of_once_and_tests_nobody():
    family = small_family(GateSettings(), 0.02, 0.1)
    (bad,) = records(synthetic(1, 1))
    message = decode(Feedback, bad.value).model_copy(update={"features": {"x": 1.0}})

    (refused,) = family.absorb([Record("s.feedback", 0, 0, b"k", encode(message))])

    assert decode(Quarantined, refused.value).rule == "missing_feature"
    assert family.gate.seen == 0


def test_a_member_that_has_read_further_than_the_pacer_is_not_tested_until_it_is_caught_up():
    family = small_family(GateSettings(), 0.02, 0.1)
    ahead = family.learners["rate-0.1"]
    lessons = list(records(synthetic(1, 200)))
    ahead.absorb(lessons[:100])
    assert is_ahead(ahead, family.pacer)

    list(family.absorb(lessons[:50]))
    assert not family.gate.trials
    list(family.absorb(lessons[50:100]))
    list(family.absorb(lessons[100:]))

    assert 30 < family.gate.trials["rate-0.1"].count <= 50
    assert ahead.counts.learned == 200


def test_the_member_that_learns_faster_is_promoted():
    family = small_family(GateSettings(loss="score"), 0.0001, 0.05)
    run = Rehearsal(family).run(synthetic(1, 1500))

    (label, decision), *_ = run.decided
    print(f"promoted after {label} labels: {decision.because}")  # noqa: T201 - for pytest -s
    assert (decision.action, decision.member) == ("promote", "rate-0.05")


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
def test_a_burst_of_flipped_labels_costs_little_and_is_rolled_back(share, clean):
    start, total = 2000, 3500
    flip = Flip(start, start + int(share * total))
    spoiled = Rehearsal(small_family(SOON, 0.05), flip).run(synthetic(1, total))

    back = [label - start for label, decision in spoiled.decided if decision.is_alarm]
    drop = clean.auc("served", start) - spoiled.auc("served", start)
    print(f"{share:.0%} flipped: back after {back}, AUC {-drop:+.4f}")  # noqa: T201 - for pytest -s
    assert not clean.decided
    assert drop <= 0.02
    # Fewer flipped labels than that do no harm that could be noticed.
    assert share < 0.05 or 0 < back[0] <= 300


def test_learners_that_were_spoilt_go_on_from_before(clean):
    flip = Flip(2000, 2500)
    spoiled = Rehearsal(small_family(SOON, 0.05), flip).run(synthetic(1, 3500))

    assert [one.action for _, one in spoiled.decided] == ["rollback", "promote"]
    assert clean.auc("rate-0.05", 2800) - spoiled.auc("rate-0.05", 2800) < 0.005


@pytest.fixture(scope="module")
def clean():
    return Rehearsal(small_family(SOON, 0.05)).run(synthetic(1, 3500))


def test_an_abrupt_drift_is_noticed_within_500_labels_and_who_follows_it_serves_on():
    family = small_family(GateSettings(ripe=500), 0.02)
    run = Rehearsal(family).run(synthetic(3, 4000, drift_at=3000))

    print(f"drift at 3000, alarms at {run.alarmed}")  # noqa: T201 - for pytest -s
    assert 3000 < run.alarmed[0] <= 3500
    held = [label for label, decision in run.decided if decision.member == GOOD]
    back = [label for label, decision in run.decided if decision.member == "rate-0.02"]
    assert len(held) == len(back), "a champion that follows the drift is better than what was good"
    assert sum(back) - sum(held) <= 200


def test_a_version_is_good_once_labels_after_it_brought_no_alarm():
    family = small_family(GateSettings(ripe=100), 0.02)
    lessons = list(records(synthetic(1, 400)))
    ripened = []
    for start in range(0, 400, 50):
        list(family.absorb(lessons[start : start + 50]))
        ripened.append((start + 50, family.settle()))

    assert [labels for labels, still in ripened if still is not None] == [200, 300, 400]
    assert family.stills[GOOD] is ripened[-1][1]


def test_a_batch_member_is_promoted_where_it_is_better_and_held():
    family = small_family(GateSettings(loss="score"), 0.0001)
    taught = small_family(GateSettings(), 0.05)
    list(taught.absorb(list(records(synthetic(2, 1000)))))
    family.seat("batch", Still(taught.pacer.card, taught.pacer.runtime))

    run = Rehearsal(family).run(synthetic(1, 1500))

    assert run.decided[0][1].member == "batch"
    assert family.is_held
    assert family.settle() is None


def test_a_family_that_is_not_judged_only_learns():
    made = small_family(GateSettings(), 0.02, 0.1)
    family = Family(made.learners, made.gate, is_judged=False)
    family.pacer.test = untested

    list(family.absorb(list(records(synthetic(1, 200)))))

    assert family.gate.seen == 0
    assert {learner.counts.learned for learner in family.learners.values()} == {200}


def test_members_answers_that_fail_cost_the_most():
    family = small_family(GateSettings(), 0.02)
    broken = family.pacer.card.model_copy(update={"task": "binary"})

    class Broken:
        name = "broken"

        def predict(self, batch):
            return np.full(batch.size, np.nan)

        def snapshot(self):
            return b""

    family.seat("broken", Still(broken, Broken()))
    list(family.absorb(list(records(synthetic(1, 50)))))

    paired = family.gate.trials["broken"]
    assert paired.challenger == paired.count > 10
