"""Reliability curves and calibration errors."""

import numpy as np
import pytest

from modstream.models.evaluation.monitoring.calibration import MIN_BIN_ROWS, measure_calibration


def overconfident(rng, size: int, gap: float):
    """Return outcomes whose probability is `gap` above the predicted one."""
    predicted = rng.uniform(0.1, 0.8, size)
    return (rng.random(size) < predicted + gap) * 1.0, predicted


def test_bins_have_equal_numbers_of_rows_and_intervals_around_the_frequency():
    found = measure_calibration(*overconfident(np.random.default_rng(1), 3000, 0.0))

    assert [one.count for one in found.bins] == [200] * 15
    assert all(one.low < one.observed < one.high for one in found.bins)
    predicted = [one.predicted for one in found.bins]
    assert predicted == sorted(predicted)
    covered = [one.low <= one.predicted <= one.high for one in found.bins]
    assert sum(covered) >= 12


def test_ece_of_a_calibrated_model_is_what_chance_gives():
    rng = np.random.default_rng(2)
    found = [measure_calibration(*overconfident(rng, 1500, 0.0)) for _ in range(60)]

    ece, by_chance = (np.mean([getattr(one, name) for one in found]) for name in
                      ("ece", "ece_by_chance"))  # fmt: skip
    assert ece == pytest.approx(by_chance, rel=0.05)
    assert ece > 0.03


def test_rms_error_is_unbiased_in_its_square():
    rng = np.random.default_rng(3)
    found = [measure_calibration(*overconfident(rng, 1500, 0.1)) for _ in range(60)]

    assert np.mean([one.rms_error**2 for one in found]) == pytest.approx(0.01, rel=0.1)


def test_equal_probabilities_are_one_bin():
    found = measure_calibration(np.array([1.0] * 30 + [0.0] * 70), np.full(100, 0.5))

    (only,) = found.bins
    assert (only.count, only.predicted, only.observed) == (100, 0.5, 0.3)
    assert found.ece == pytest.approx(0.2)


def test_too_few_rows_have_no_curve():
    found = measure_calibration(np.zeros(MIN_BIN_ROWS - 1), np.zeros(MIN_BIN_ROWS - 1))

    assert (found.count, found.bins) == (0, ())
    assert np.isnan(found.ece)


def test_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(4)
    probabilities, order = rng.choice([0.0, 0.2, 0.5, 1.0], 300), rng.permutation(300)
    outcomes = (rng.random(300) < 0.4) * 1.0

    found = measure_calibration(outcomes, probabilities)
    shuffled = measure_calibration(outcomes[order], probabilities[order])

    assert shuffled.ece == pytest.approx(found.ece)
    assert [one.count for one in shuffled.bins] == [one.count for one in found.bins]
    assert sum(one.count for one in found.bins) == 300
