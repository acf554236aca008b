"""Detection of flipped labels of a binary task."""

import numpy as np
import pytest

from modstream.processors.promote.label_flip import LabelFlipDetector, LabelledScores

LABELS = 20_000


def draw_labels(rng, scores):
    """Draw labels with the predicted probabilities."""
    return (rng.random(len(scores)) < scores) * 1.0


def flip_events(detector, labels, scores):
    """Add labels one at a time; return the events, each with the number of its label."""
    rows = zip(labels[:, None], scores[:, None], strict=True)
    events = [(at, detector.add(LabelledScores(*row))) for at, row in enumerate(rows)]
    return [(at, event) for at, event in events if event is not None]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_flipped_labels_are_detected_within_dozens_of_labels(rng):
    delays = []
    for _ in range(50):
        scores = rng.beta(2, 6, 600)
        labels = draw_labels(rng, scores)
        labels[300:] = 1 - labels[300:]
        delays.append(flip_events(LabelFlipDetector(), labels, scores)[0][0] - 300)

    assert 10 < np.median(delays) < 60
    assert min(delays) > 0
    assert max(delays) < 150


def test_the_end_of_flipped_labels_is_detected(rng):
    scores = rng.beta(2, 6, 1500)
    labels = draw_labels(rng, scores)
    labels[500:1000] = 1 - labels[500:1000]

    (start, first), (end, second) = flip_events(LabelFlipDetector(), labels, scores)

    assert (first.is_flipped, second.is_flipped) == (True, False)
    assert 500 < start < 650
    assert 1000 < end < 1150
    assert start - 500 <= first.label_count <= start


@pytest.mark.parametrize("confidence", [1.0, 3.0])
def test_calibrated_or_overconfident_scores_raise_no_alarm(rng, confidence):
    calibrated = rng.beta(2, 6, LABELS)
    odds = confidence * np.log(calibrated / (1 - calibrated))
    scores = 1 / (1 + np.exp(-odds))

    assert not flip_events(LabelFlipDetector(), draw_labels(rng, calibrated), scores)


def test_a_storm_that_delays_all_flights_is_not_a_flip(rng):
    scores = rng.beta(2, 6, 2000)
    odds = np.log(scores / (1 - scores))
    rise = np.clip((np.arange(2000) - 1000) / 200, 0, 1) * 3
    labels = draw_labels(rng, 1 / (1 + np.exp(-(odds + rise))))

    assert labels[1500:].mean() > 0.7
    assert not flip_events(LabelFlipDetector(), labels, scores)


def test_false_alarms_are_as_rare_as_the_threshold_bounds_them(rng):
    threshold, scores = 1000.0, rng.beta(2, 6, LABELS)
    labels = draw_labels(rng, scores)

    events = flip_events(LabelFlipDetector(threshold), labels, scores)

    assert len(events) <= 2 * LABELS / threshold


def test_rows_without_a_finite_score_are_skipped():
    detector = LabelFlipDetector()

    assert detector.add(LabelledScores(np.ones(1000), np.full(1000, np.nan))) is None
    assert detector == LabelFlipDetector()


def test_accepted_labels_do_not_look_flipped(rng):
    detector, scores = LabelFlipDetector(), rng.beta(2, 6, 600)
    labels = draw_labels(rng, scores)
    assert detector.add(LabelledScores(1 - labels, scores)).is_flipped

    detector.accept_labels()

    assert not detector.is_flipped
    assert not flip_events(detector, labels[:100], scores[:100])
