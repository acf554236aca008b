"""Candidates on one stream of feedback: tested before they learn, compared by the gate."""

import numpy as np

from bench.simulation import GateSimulation
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, Quarantined
from modstream.broker.wire.records import Record
from modstream.models.registry.refs import LAST_GOOD
from modstream.processors.promote.champion_challenger import ChampionChallenger, is_ahead
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_rollback import FrozenModel
from tests.processors.promote.synthetic_stream import (
    feedback_records,
    small_candidates,
    synthetic_events,
)


def predictions_of(candidate):
    rows = [{"x": 1.0, "y": 1.0}, {"x": -1.0, "y": 0.5}]
    batch = candidate.card.input_schema.parse_rows(rows).batch
    return candidate.runtime.predict(batch).tolist()


def test_candidates_learn_what_they_would_have_learned_alone():
    candidates = small_candidates(GateSettings(), 0.02, 0.1)
    alone = small_candidates(GateSettings(), 0.1)
    records = feedback_records(synthetic_events(1, 300))

    assert candidates.learn(records) == []
    assert alone.learn(records) == []

    together = candidates.learners["rate-0.1"]
    assert predictions_of(together) == predictions_of(alone.learners["rate-0.1"])


def test_rows_are_learned_in_the_call_even_if_its_result_is_ignored():
    candidates = small_candidates(GateSettings(), 0.02, 0.1)

    candidates.learn(feedback_records(synthetic_events(1, 50)))

    assert [one.counts.learned for one in candidates.learners.values()] == [50, 50]
    assert candidates.gate.labels_in_term == 50


def test_all_candidates_are_tested_before_any_of_them_learns():
    candidates = small_candidates(GateSettings(), 0.02, 0.1)

    candidates.learn(feedback_records(synthetic_events(1, 200)))

    paired = candidates.gate.tests["rate-0.1"]
    assert 50 < paired.count <= 100
    assert paired.champion_total == paired.challenger_total == paired.count / 2


def test_candidates_can_be_compared_by_their_calibration_too():
    candidates = small_candidates(GateSettings(loss="score"), 0.02, 0.1)

    candidates.learn(feedback_records(synthetic_events(1, 200)))

    paired = candidates.gate.tests["rate-0.1"]
    assert (paired.count, paired.champion_total, paired.challenger_total) == (200, 50.0, 50.0)


def test_a_rejected_row_is_returned_once_and_tests_no_candidate():
    candidates = small_candidates(GateSettings(), 0.02, 0.1)
    (valid,) = feedback_records(synthetic_events(1, 1))
    invalid = decode(Feedback, valid.value).model_copy(update={"features": {"x": 1.0}})

    (rejected,) = candidates.learn([Record("s.feedback", 0, 0, b"k", encode(invalid))])

    assert decode(Quarantined, rejected.value).rule == "missing_feature"
    assert candidates.gate.labels_in_term == 0


def test_a_learner_ahead_of_the_lead_is_not_tested_until_the_lead_has_caught_up():
    candidates = small_candidates(GateSettings(), 0.02, 0.1)
    ahead = candidates.learners["rate-0.1"]
    records = feedback_records(synthetic_events(1, 200))
    ahead.learn_batch(records[:100])
    assert is_ahead(ahead, candidates.lead)

    candidates.learn(records[:50])
    assert not candidates.gate.tests
    candidates.learn(records[50:100])
    candidates.learn(records[100:])

    assert 30 < candidates.gate.tests["rate-0.1"].count <= 50
    assert ahead.counts.learned == 200


def test_only_the_lead_monitors_input_drift():
    candidates = small_candidates(GateSettings(), 0.02, 0.1, 0.2)

    monitors = [one.monitors_input_drift for one in candidates.learners.values()]

    assert monitors == [True, False, False]


def test_a_version_becomes_last_good_once_labels_after_it_raised_no_alarm():
    candidates = small_candidates(GateSettings(stable_after=100), 0.02)
    records = feedback_records(synthetic_events(1, 400))
    stable = []
    for start in range(0, 400, 50):
        candidates.learn(records[start : start + 50])
        stable.append((start + 50, candidates.update_last_good()))

    assert [labels for labels, model in stable if model is not None] == [200, 300, 400]
    assert candidates.frozen[LAST_GOOD] is stable[-1][1]


def test_a_better_batch_model_is_promoted_and_serves_frozen():
    candidates = small_candidates(GateSettings(loss="score"), 0.0001)
    trained = small_candidates(GateSettings(), 0.05)
    trained.learn(feedback_records(synthetic_events(2, 1000)))
    candidates.replace_frozen("batch", FrozenModel(trained.lead.card, trained.lead.runtime))

    run = GateSimulation(candidates).run(synthetic_events(1, 1500))

    assert run.decisions[0].decision.evidence.candidate == "batch"
    assert candidates.gate.champion not in candidates.learners
    assert candidates.update_last_good() is None


def test_candidates_without_a_gate_only_learn():
    made = small_candidates(GateSettings(), 0.02, 0.1)
    candidates = ChampionChallenger(made.learners, made.gate, is_gated=False)

    candidates.learn(feedback_records(synthetic_events(1, 200)))

    assert candidates.gate.labels_in_term == 0
    assert {learner.counts.learned for learner in candidates.learners.values()} == {200}


def test_a_prediction_that_fails_has_the_greatest_loss():
    candidates = small_candidates(GateSettings(), 0.02)
    card = candidates.lead.card.model_copy(update={"task": "binary"})

    class Broken:
        name = "broken"

        def predict(self, batch):
            return np.full(batch.size, np.nan)

        def snapshot(self):
            return b""

    candidates.replace_frozen("broken", FrozenModel(card, Broken()))
    candidates.learn(feedback_records(synthetic_events(1, 50)))

    paired = candidates.gate.tests["broken"]
    assert paired.challenger_total == paired.count > 10
