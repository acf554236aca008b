"""Adaptive conformal prediction: its bound on the coverage, whatever the data and delays are."""

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.models.evaluation.monitoring.conformal import (
    AdaptiveConformal,
    ConformalSettings,
    LateConformal,
    prediction_interval,
    prediction_set,
    replay_thresholds,
)
from modstream.models.evaluation.monitoring.coverage import coverage_by_period, replay_conformal
from modstream.models.evaluation.monitoring.scored_rows import ScoredRows

LEVELS = st.sampled_from([0.05, 0.1, 0.3])
SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=300)


def settings_of(level: float, step: float = 0.05) -> ConformalSettings:
    return ConformalSettings(level=level, step=step, window=50)


@given(SCORES, LEVELS)
def test_share_outside_is_within_the_bound_for_every_sequence(scores, level):
    step, conformal, outside = 0.05, AdaptiveConformal(settings_of(level)), 0
    for score in scores:
        threshold = conformal.threshold()
        outside += score > threshold
        conformal.update(score, threshold)

    bound = (max(level, 1 - level) + step) / (step * len(scores))
    assert abs(outside / len(scores) - level) <= bound + 1e-9


@given(SCORES, LEVELS, st.integers(0, 20))
def test_share_outside_is_within_the_bound_if_labels_are_late(scores, level, late):
    step, conformal, covered = 0.05, LateConformal(AdaptiveConformal(settings_of(level))), []
    for number in range(len(scores) + late):
        if number >= late:
            covered.append(conformal.label(number - late, scores[number - late]))
        if number < len(scores):
            conformal.predict(number)

    bound = (max(level, 1 - level) + step * (1 + late)) / (step * len(scores))
    assert abs(np.mean(~np.array(covered, dtype=bool)) - level) <= bound + 1e-9


def test_threshold_is_the_quantile_of_the_newest_scores():
    conformal = AdaptiveConformal(ConformalSettings(level=0.2, step=0.0, window=9))
    assert conformal.threshold() == inf
    for score in range(19):
        conformal.update(float(score), inf)

    assert conformal.threshold() == 17.0


def test_level_outside_0_to_1_has_all_labels_or_none():
    conformal = AdaptiveConformal(ConformalSettings(level=0.5))
    for score in range(100):
        conformal.update(float(score), 0.0)
    conformal.alpha = -0.01
    assert conformal.threshold() == inf
    conformal.alpha = 1.0
    assert conformal.threshold() == -inf


def test_label_counts_against_the_threshold_of_its_prediction():
    conformal = LateConformal(AdaptiveConformal(ConformalSettings(level=0.5, step=0.1, window=3)))
    conformal.predict("early")
    for number in range(3):
        conformal.predict(number)
        conformal.label(number, 0.1)

    assert conformal.label("early", 0.9) is True
    assert conformal.label("early", 0.9) is None
    assert conformal.label("never", 0.9) is None


def test_predictions_that_wait_are_bounded():
    conformal = LateConformal(max_pending=2)
    for number in range(5):
        conformal.predict(number)

    assert conformal.dropped == 3
    assert conformal.label(0, 0.5) is None
    assert conformal.label(4, 0.5) is True


def test_replay_knows_only_labels_that_have_arrived():
    settings = ConformalSettings(level=0.5, step=0.0, window=10)
    at, labelled = np.array([0, 1, 2, 3]), np.array([2, 9, 3, 9])

    thresholds = replay_thresholds(at, labelled, np.array([0.3, 0.9, 0.1, 0.9]), settings)

    assert thresholds.tolist() == [inf, inf, 0.3, 0.3]


def test_sets_and_intervals():
    assert prediction_set((0.7, 0.25, 0.05), 0.8) == (0, 1)
    assert prediction_set((0.7, 0.3), 0.2) == ()
    assert prediction_set((0.7, 0.3), inf) == (0, 1)
    assert prediction_interval(5.0, 2.0) == (3.0, 7.0)
    assert all(map(isnan, prediction_interval(5.0, -inf)))


def drifting(size: int, seed: int) -> ScoredRows:
    """Return predictions of a model that becomes worse and worse, and overconfident."""
    rng, drift = np.random.default_rng(seed), np.linspace(0, 1, size)
    probability = rng.beta(1, 3, size)
    truth = probability * (1 - drift) + drift * rng.beta(3, 1, size)
    return ScoredRows("binary", (rng.random(size) < truth) * 1.0, probability)


def coverages(rows: ScoredRows, settings: ConformalSettings) -> list[float]:
    size = len(rows)
    at = np.arange(size)
    found = replay_conformal(rows, at, at + 150, settings)
    periods = coverage_by_period(rows, found, at // (size // 10))
    return [one.coverage for one in periods]


def test_coverage_holds_in_every_period_while_the_model_decays():
    rows = drifting(20_000, seed=1)

    adaptive = coverages(rows, ConformalSettings(level=0.1, step=0.01))
    static = coverages(rows, ConformalSettings(level=0.1, step=0.0, window=20_000))

    assert adaptive == pytest.approx([0.9] * 10, abs=0.02)
    assert min(static[5:]) < 0.87


def test_intervals_of_a_regression_widen_with_its_errors():
    rng = np.random.default_rng(2)
    labels = rng.normal(0, np.repeat([1.0, 5.0], 3000))
    rows, at = ScoredRows("regression", labels, np.zeros(6000)), np.arange(6000)

    found = replay_conformal(rows, at, at + 10, ConformalSettings(level=0.1, window=500))
    quiet, loud = coverage_by_period(rows, found, at // 3000)

    assert quiet.coverage == pytest.approx(0.9, abs=0.02)
    assert loud.coverage == pytest.approx(0.9, abs=0.02)
    assert loud.size > 3 * quiet.size
    assert isnan(loud.certain)


def test_sizes_of_sets_are_counted():
    rows = drifting(2000, seed=3)
    at = np.arange(2000)
    found = replay_conformal(rows, at, at + 1, ConformalSettings(level=0.3, window=200))

    (period,) = coverage_by_period(rows, found, np.zeros(2000, dtype=np.int64))

    sizes = found.size
    assert period.count == 2000
    assert period.certain == pytest.approx(np.mean(sizes == 1))
    assert period.empty + period.certain <= 1
    assert period.size == pytest.approx(sizes.mean())
