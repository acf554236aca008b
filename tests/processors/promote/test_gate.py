"""The gate: who serves, and by what evidence."""

import numpy as np
import pytest

from modstream.processors.promote.gate import GOOD, NOTHING, Gate
from modstream.processors.promote.label_flip import Answered
from modstream.processors.promote.settings import GateSettings


def weigh(gate, labels, errors=None, contradict=None, **means):
    """Weigh labels with losses around these means; the first decision and after how many.

    `contradict` is the share of labels that are not as a champion says who is sure of 80%.
    """
    rng = np.random.default_rng(7)
    for start in range(0, labels, 50):
        losses = {name: rng.normal(mean, 0.05, 50).clip(0, 1) for name, mean in means.items()}
        raised = NOTHING if errors is None else (rng.random(50) < errors).astype(float)
        decision = gate.weigh(losses, raised, answered(rng, contradict))
        if decision is not None:
            return decision, start + 50
    return None


def answered(rng, contradict):
    if contradict is None:
        return None
    said = rng.random(50) < 0.5
    return Answered((said != (rng.random(50) < contradict)) * 1.0, np.where(said, 0.8, 0.2))


def test_a_better_challenger_is_promoted_with_its_evidence():
    gate = Gate("a")

    decision, labels = weigh(gate, 5000, a=0.20, b=0.19, c=0.21)

    assert (decision.action, decision.member, decision.former) == ("promote", "b", "a")
    assert decision.count == decision.window == labels
    assert 0 < decision.bound < decision.champion_loss - decision.member_loss
    assert decision.alpha < gate.settings.alpha / 2
    assert gate.champion == "b"
    assert f"{labels:,} labels" in decision.because


def test_of_two_equals_none_is_promoted():
    assert weigh(Gate("a"), 20_000, a=0.2, b=0.2) is None


def test_a_gain_within_the_margin_is_none():
    settings = GateSettings(margin=0.02)

    assert weigh(Gate("a", settings), 10_000, a=0.2, b=0.19) is None


def test_a_rise_of_the_errors_takes_back_to_the_last_good_version():
    gate = Gate("a")
    assert weigh(gate, 2000, errors=0.2, a=0.2, good=0.2) is None

    decision, labels = weigh(gate, 1000, errors=0.7, a=0.2, good=0.2)

    print(f"rolled back after {labels} labels")  # noqa: T201 - shown by pytest -s
    assert labels <= 300
    assert (decision.action, decision.member) == ("rollback", GOOD)
    assert decision.error_before < 0.3 < decision.error_after
    assert "errors of a rose" in decision.because


def test_labels_that_contradict_the_champion_take_back_to_the_last_good_version():
    gate = Gate("a")
    assert weigh(gate, 5000, contradict=0.2, a=0.2, good=0.2) is None

    decision, labels = weigh(gate, 1000, contradict=0.8, a=0.2, good=0.2)

    assert labels <= 150
    assert (decision.action, decision.member, decision.is_alarm) == ("rollback", GOOD, True)
    assert "labels contradict a" in decision.because


def test_who_was_contradicted_returns_as_soon_as_labels_agree_again():
    gate = Gate("a")
    weigh(gate, 1000, contradict=0.8, a=0.2, good=0.2)

    assert weigh(gate, 1000, contradict=0.8, a=0.2, good=0.2) is None
    assert gate.is_contradicted
    decision, labels = weigh(gate, 2000, contradict=0.2, a=0.2, good=0.2)

    assert (decision.action, decision.member, decision.former) == ("promote", "a", GOOD)
    assert decision.calm <= labels <= 150
    assert "labels agree again" in decision.because
    assert not gate.is_contradicted


def test_who_was_contradicted_is_rolled_back_though_it_proved_better_before():
    gate = Gate("a")
    weigh(gate, 2000, contradict=0.2, a=0.2, good=0.25)

    decision, _ = weigh(gate, 1000, contradict=0.8, a=0.2, good=0.25)

    assert decision.member == GOOD


def test_whose_errors_rose_returns_when_enough_labels_agreed():
    gate = Gate("a", GateSettings(calm=500))
    weigh(gate, 2000, errors=0.2, a=0.2, good=0.2)
    weigh(gate, 1000, errors=0.7, a=0.2, good=0.2)

    decision, labels = weigh(gate, 2000, errors=0.2, a=0.2, good=0.2)

    assert (decision.member, labels, decision.calm) == ("a", 500, 500)


def test_whose_errors_rose_does_not_return_if_it_has_become_worse_meanwhile():
    gate = Gate("a", GateSettings(calm=500))
    weigh(gate, 2000, errors=0.2, a=0.2, good=0.2)
    weigh(gate, 1000, errors=0.7, a=0.2, good=0.2)

    assert weigh(gate, 5000, errors=0.2, a=0.25, good=0.2) is None
    assert gate.champion == GOOD


def test_labels_that_go_on_to_contradict_are_taken_as_they_are_by_whoever_wins():
    gate = Gate("a", GateSettings(cool_down=1000, least=100))
    weigh(gate, 1000, contradict=0.8, a=0.2, b=0.1, good=0.2)

    decision, _ = weigh(gate, 5000, contradict=0.8, a=0.3, b=0.1, good=0.2)

    assert decision.member == "b"
    assert not gate.is_contradicted


def test_who_learned_to_agree_with_odd_labels_must_wait_as_all_others_do():
    gate = Gate("a", GateSettings(cool_down=2000))
    weigh(gate, 1000, contradict=0.8, a=0.2, good=0.2)

    decision, labels = weigh(gate, 5000, contradict=0.8, a=0.1, good=0.3)

    assert (decision.member, decision.calm) == ("a", None)
    assert labels >= 2000


def test_a_last_good_version_that_was_better_for_a_while_is_not_gone_back_to_without_an_alarm():
    assert weigh(Gate("a"), 3000, contradict=0.2, a=0.2, good=0.18) is None


def test_an_alarm_does_not_take_back_to_a_version_that_proved_worse():
    gate = Gate("a")
    weigh(gate, 2000, errors=0.2, a=0.2, good=0.25)

    assert weigh(gate, 1000, errors=0.7, a=0.2, good=0.25) is None
    assert gate.alarms == 1


def test_after_a_rollback_nobody_is_promoted_for_a_while():
    gate = Gate("a", GateSettings(cool_down=1000, least=100))
    weigh(gate, 3000, contradict=0.8, a=0.2, b=0.1, good=0.2)

    decision, labels = weigh(gate, 5000, contradict=0.8, a=0.3, b=0.1, good=0.2)

    assert decision.member == "b"
    assert labels > 1000
    assert decision.count <= labels - 1000


def test_being_better_for_a_day_is_not_enough():
    gate = Gate("a", GateSettings(least=2000))

    decision, labels = weigh(gate, 5000, a=0.3, b=0.1)

    assert (decision.member, labels) == ("b", 2000)


def test_an_alarm_without_a_good_version_only_counts():
    gate = Gate("a")
    weigh(gate, 2000, errors=0.2, a=0.2, b=0.2)

    assert weigh(gate, 500, errors=0.8, a=0.2, b=0.2) is None
    assert gate.alarms == 1


def test_a_member_that_was_not_asked_is_not_judged():
    gate = Gate("a")
    weigh(gate, 500, a=0.2, b=0.2)

    assert weigh(gate, 5000, a=0.5) is None
    assert gate.trials["b"].count == 500
    assert weigh(gate, 500, b=0.2) is None


def test_a_renewed_member_is_tested_anew_and_spends_less_of_alpha():
    gate = Gate("a")
    weigh(gate, 300, a=0.2, b=0.2)

    gate.renew("b")
    gate.renew("nobody")

    assert gate.trials["b"].count == 0
    assert gate.number == 2


def test_a_long_test_begins_anew():
    gate = Gate("a", GateSettings(window=1000))

    assert weigh(gate, 2500, a=0.2, b=0.2) is None

    assert gate.trials["b"].count == 500
    assert gate.number == 3


@pytest.mark.parametrize("seed", range(10))
def test_a_twin_is_not_promoted(seed):
    rng, gate = np.random.default_rng(seed), Gate("a", GateSettings(margin=0.0))

    for _ in range(50):
        a, b = rng.random((2, 100))
        assert gate.weigh({"a": a, "b": b}) is None
