"""Drift detection on a stream of errors."""

import numpy as np
import pytest

from modstream.models.evaluation.drift import DETECTORS, DriftDetector


def errors(seed, rate, count):
    return (np.random.default_rng(seed).random(count) < rate).astype(float).tolist()


@pytest.mark.parametrize("kind", sorted(DETECTORS))
def test_a_rise_is_detected_within_500_values_and_reported_with_both_means(kind):
    detector = DriftDetector(kind, 1e-3)
    detector.update_many(errors(1, 0.2, 400))

    rise = next(filter(None, (detector.update_many([value]) for value in errors(2, 0.7, 500))))

    assert rise.before < 0.35 < rise.after


def test_a_fall_is_not_reported_as_a_rise():
    detector = DriftDetector()
    detector.update_many(errors(1, 0.7, 1500))

    assert detector.update_many(errors(2, 0.2, 1000)) is None


def test_twenty_thousand_steady_errors_raise_no_alarm():
    assert DriftDetector().update_many(errors(3, 0.25, 20_000)) is None
