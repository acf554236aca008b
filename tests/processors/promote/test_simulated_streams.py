"""Promotion, rollback and restoration on simulated streams."""

import pytest

from bench.simulation import SERVED, GateSimulation
from modstream.models.registry.refs import LAST_GOOD
from modstream.processors.promote.settings import GateSettings
from tests.processors.promote.synthetic_stream import (
    LabelFlip,
    small_candidates,
    synthetic_events,
)

FAST = GateSettings(stable_after=500, cooldown=1000)


@pytest.fixture(scope="module")
def clean():
    """A run without flipped labels."""
    return GateSimulation(small_candidates(FAST, 0.05)).run(synthetic_events(1, 3500))


def test_the_candidate_that_learns_faster_is_promoted():
    candidates = small_candidates(GateSettings(loss="score"), 0.0001, 0.05)
    run = GateSimulation(candidates).run(synthetic_events(1, 1500))

    label_count, _, decision = run.decisions[0]
    print(f"promoted after {label_count} labels: {decision.reason}")  # noqa: T201 - for pytest -s
    assert (decision.action, decision.evidence.candidate) == ("promote", "rate-0.05")


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
def test_a_burst_of_flipped_labels_costs_little_and_is_rolled_back(share, clean):
    start, total = 2000, 3500
    flip = LabelFlip(start, start + int(share * total))
    flipped = GateSimulation(small_candidates(FAST, 0.05), flip).run(synthetic_events(1, total))

    delays = [
        one.label_count - start for one in flipped.decisions if one.decision.action == "rollback"
    ]
    drop = clean.auc(SERVED, start) - flipped.auc(SERVED, start)
    print(f"{share:.0%} flipped: rollbacks after {delays}, AUC {-drop:+.4f}")  # noqa: T201
    assert not clean.decisions
    assert drop <= 0.02
    # So few flipped labels as 1% do no measurable harm.
    assert share < 0.05 or 0 < delays[0] <= 300


def test_learners_that_flipped_labels_made_worse_are_restored(clean):
    flip = LabelFlip(2000, 2500)
    flipped = GateSimulation(small_candidates(FAST, 0.05), flip).run(synthetic_events(1, 3500))

    assert [one.decision.action for one in flipped.decisions] == ["rollback", "promote"]
    assert clean.auc("rate-0.05", 2800) - flipped.auc("rate-0.05", 2800) < 0.005


def test_an_abrupt_drift_is_detected_within_500_labels_and_a_champion_that_adapts_serves_on():
    candidates = small_candidates(GateSettings(stable_after=500), 0.02)
    run = GateSimulation(candidates).run(synthetic_events(3, 4000, drift_at=3000))

    def labels_at(candidate):
        return [
            one.label_count for one in run.decisions if one.decision.evidence.candidate == candidate
        ]

    print(f"drift at 3000, alarms at {run.alarm_labels}")  # noqa: T201 - for pytest -s
    assert 3000 < run.alarm_labels[0] <= 3500
    rollbacks, returns = labels_at(LAST_GOOD), labels_at("rate-0.02")
    assert len(rollbacks) == len(returns), "a champion that adapts is better than the last-good one"
    assert sum(returns) - sum(rollbacks) <= 200
