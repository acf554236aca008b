"""The promotion gate: which candidate serves, and by what evidence."""

import numpy as np
import pytest

from modstream.models.registry.refs import LAST_GOOD
from modstream.processors.promote.gate import NO_ERRORS, PromotionGate
from modstream.processors.promote.label_flip import LabelledScores
from modstream.processors.promote.settings import GateSettings


def update(gate, labels, errors=None, contradict=None, good=None, **means):
    """Update the gate with losses around these means, `good` being that of the last-good version.

    `contradict` is the share of labels that are the opposite of what a champion predicts with 80%.
    Returns the first decision, and the number of labels before it.
    """
    rng = np.random.default_rng(7)
    if good is not None:
        means[LAST_GOOD] = good
    for start in range(0, labels, 50):
        losses = {name: rng.normal(mean, 0.05, 50).clip(0, 1) for name, mean in means.items()}
        raised = NO_ERRORS if errors is None else (rng.random(50) < errors).astype(float)
        decision = gate.update(losses, raised, labelled_scores(rng, contradict))
        if decision is not None:
            return decision, start + 50
    return None


def labelled_scores(rng, contradict):
    if contradict is None:
        return None
    predicted = rng.random(50) < 0.5
    labels = (predicted != (rng.random(50) < contradict)) * 1.0
    return LabelledScores(labels, np.where(predicted, 0.8, 0.2))


def test_a_better_challenger_is_promoted_with_its_evidence():
    gate = PromotionGate("a")

    decision, labels = update(gate, 5000, a=0.20, b=0.19, c=0.21)

    evidence = decision.evidence
    assert (decision.action, evidence.candidate, evidence.champion) == ("promote", "b", "a")
    assert evidence.count == evidence.window == labels
    assert 0 < evidence.bound < evidence.champion_loss - evidence.candidate_loss
    assert evidence.alpha < gate.settings.alpha / 2
    assert gate.champion == "b"
    assert f"{labels:,} labels" in decision.reason


def test_of_two_equal_candidates_none_is_promoted():
    assert update(PromotionGate("a"), 20_000, a=0.2, b=0.2) is None


def test_a_gain_within_the_margin_promotes_no_candidate():
    settings = GateSettings(margin=0.02)

    assert update(PromotionGate("a", settings), 10_000, a=0.2, b=0.19) is None


def test_a_rise_of_the_errors_rolls_back_to_the_last_good_version():
    gate = PromotionGate("a")
    assert update(gate, 2000, errors=0.2, a=0.2, good=0.2) is None

    decision, labels = update(gate, 1000, errors=0.7, a=0.2, good=0.2)

    print(f"rolled back after {labels} labels")  # noqa: T201 - shown by pytest -s
    assert labels <= 300
    assert (decision.action, decision.evidence.candidate) == ("rollback", LAST_GOOD)
    assert decision.evidence.error_before < 0.3 < decision.evidence.error_after
    assert "errors of a rose" in decision.reason


def test_flipped_labels_roll_back_to_the_last_good_version():
    gate = PromotionGate("a")
    assert update(gate, 5000, contradict=0.2, a=0.2, good=0.2) is None

    decision, labels = update(gate, 1000, contradict=0.8, a=0.2, good=0.2)

    assert labels <= 150
    assert (decision.action, decision.evidence.candidate) == ("rollback", LAST_GOOD)
    assert decision.evidence.flip_ratio == gate.settings.flip_threshold
    assert "labels contradict a" in decision.reason


def test_the_champion_returns_as_soon_as_labels_are_correct_again():
    gate = PromotionGate("a")
    update(gate, 1000, contradict=0.8, a=0.2, good=0.2)

    assert update(gate, 1000, contradict=0.8, a=0.2, good=0.2) is None
    assert gate.is_flipped
    decision, labels = update(gate, 2000, contradict=0.2, a=0.2, good=0.2)

    evidence = decision.evidence
    assert (decision.action, evidence.candidate, evidence.champion) == ("promote", "a", LAST_GOOD)
    assert evidence.quiet_labels <= labels <= 150
    assert "labels agree again" in decision.reason
    assert not gate.is_flipped


def test_flipped_labels_roll_back_a_champion_that_proved_better_before():
    gate = PromotionGate("a")
    update(gate, 2000, contradict=0.2, a=0.2, good=0.25)

    decision, _ = update(gate, 1000, contradict=0.8, a=0.2, good=0.25)

    assert decision.evidence.candidate == LAST_GOOD


def test_after_a_rise_of_errors_the_champion_returns_after_enough_quiet_labels():
    gate = PromotionGate("a", GateSettings(quiet_labels=500))
    update(gate, 2000, errors=0.2, a=0.2, good=0.2)
    update(gate, 1000, errors=0.7, a=0.2, good=0.2)

    decision, labels = update(gate, 2000, errors=0.2, a=0.2, good=0.2)

    assert (decision.evidence.candidate, labels, decision.evidence.quiet_labels) == ("a", 500, 500)


def test_a_champion_that_has_become_worse_meanwhile_does_not_return():
    gate = PromotionGate("a", GateSettings(quiet_labels=500))
    update(gate, 2000, errors=0.2, a=0.2, good=0.2)
    update(gate, 1000, errors=0.7, a=0.2, good=0.2)

    assert update(gate, 5000, errors=0.2, a=0.25, good=0.2) is None
    assert gate.champion == LAST_GOOD


def test_a_promotion_during_flipped_labels_accepts_them_as_correct():
    gate = PromotionGate("a", GateSettings(cooldown=1000, min_comparisons=100))
    update(gate, 1000, contradict=0.8, a=0.2, b=0.1, good=0.2)

    decision, _ = update(gate, 5000, contradict=0.8, a=0.3, b=0.1, good=0.2)

    assert decision.evidence.candidate == "b"
    assert not gate.is_flipped


def test_a_suspended_champion_that_learned_flipped_labels_waits_for_the_cooldown():
    gate = PromotionGate("a", GateSettings(cooldown=2000))
    update(gate, 1000, contradict=0.8, a=0.2, good=0.2)

    decision, labels = update(gate, 5000, contradict=0.8, a=0.1, good=0.3)

    assert (decision.evidence.candidate, decision.evidence.quiet_labels) == ("a", None)
    assert labels >= 2000


def test_without_an_alarm_a_better_last_good_version_is_not_restored():
    assert update(PromotionGate("a"), 3000, contradict=0.2, a=0.2, good=0.18) is None


def test_an_alarm_does_not_roll_back_to_a_version_that_proved_worse():
    gate = PromotionGate("a")
    update(gate, 2000, errors=0.2, a=0.2, good=0.25)

    assert update(gate, 1000, errors=0.7, a=0.2, good=0.25) is None
    assert gate.alarms == 1


def test_after_a_rollback_no_challenger_is_promoted_during_the_cooldown():
    gate = PromotionGate("a", GateSettings(cooldown=1000, min_comparisons=100))
    update(gate, 3000, contradict=0.8, a=0.2, b=0.1, good=0.2)

    decision, labels = update(gate, 5000, contradict=0.8, a=0.3, b=0.1, good=0.2)

    assert decision.evidence.candidate == "b"
    assert labels > 1000
    assert decision.evidence.count <= labels - 1000


def test_a_promotion_needs_a_minimum_of_comparisons():
    gate = PromotionGate("a", GateSettings(min_comparisons=2000))

    decision, labels = update(gate, 5000, a=0.3, b=0.1)

    assert (decision.evidence.candidate, labels) == ("b", 2000)


def test_an_alarm_without_a_last_good_version_is_only_counted():
    gate = PromotionGate("a")
    update(gate, 2000, errors=0.2, a=0.2, b=0.2)

    assert update(gate, 500, errors=0.8, a=0.2, b=0.2) is None
    assert gate.alarms == 1


def test_a_candidate_without_losses_is_not_tested():
    gate = PromotionGate("a")
    update(gate, 500, a=0.2, b=0.2)

    assert update(gate, 5000, a=0.5) is None
    assert gate.tests["b"].count == 500
    assert update(gate, 500, b=0.2) is None


def test_a_reset_starts_the_next_test_with_less_of_alpha():
    gate = PromotionGate("a")
    update(gate, 300, a=0.2, b=0.2)

    gate.reset("b")
    gate.reset("unknown")

    assert gate.tests["b"].count == 0
    assert gate.test_number == 2


def test_a_test_restarts_after_its_window():
    gate = PromotionGate("a", GateSettings(test_window=1000))

    assert update(gate, 2500, a=0.2, b=0.2) is None

    assert gate.tests["b"].count == 500
    assert gate.test_number == 3


@pytest.mark.parametrize("seed", range(10))
def test_of_two_twins_none_is_promoted(seed):
    rng, gate = np.random.default_rng(seed), PromotionGate("a", GateSettings(margin=0.0))

    for _ in range(50):
        a, b = rng.random((2, 100))
        assert gate.update({"a": a, "b": b}) is None
