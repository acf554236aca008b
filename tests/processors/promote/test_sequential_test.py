"""The sequential test, checked after every label."""

import numpy as np
import pytest

from modstream.processors.promote.sequential_test import PairedEProcess, alpha_spending, log_wealth

ALPHA = 0.05


def wealth(differences):
    """Return the log wealth after each label, of shape (streams, n) like the differences."""
    n = np.arange(1, differences.shape[1] + 1)
    totals, squares = differences.cumsum(axis=1), np.square(differences).cumsum(axis=1)
    return log_wealth(np.broadcast_to(n, totals.shape), totals, squares, 0.0)


@pytest.mark.parametrize("spread", [0.05, 0.3, 1.0])
def test_checking_after_every_label_is_wrong_no_more_often_than_alpha(spread):
    rng = np.random.default_rng(7)
    differences = spread * rng.choice([-1.0, 1.0], (200, 500))

    wrong = (wealth(differences).max(axis=1) >= -np.log(ALPHA)).sum()

    print(f"A/A: {wrong} of 200 seeds, alpha {ALPHA:g}")  # noqa: T201 - shown by pytest -s
    assert wrong <= ALPHA * 200


def test_a_gain_of_0_01_is_proved_within_3000_labels():
    differences = np.random.default_rng(7).normal(0.01, 0.06, (20, 3000)).clip(-1, 1)

    assert (wealth(differences)[:, -1] >= -np.log(ALPHA)).all()


def test_the_lower_bound_lies_below_the_true_gain_and_rises_to_it():
    rng, bounds = np.random.default_rng(7), []
    paired = PairedEProcess()
    for _ in range(5):
        gains = rng.normal(0.02, 0.05, 2000)
        paired.add(np.full(2000, 0.5), 0.5 - gains)
        bounds.append(paired.lower_bound(ALPHA))

    assert bounds == sorted(bounds)
    assert 0.015 < bounds[-1] < 0.02


def test_there_is_no_evidence_before_the_first_label():
    assert PairedEProcess().gain == 0.0
    assert PairedEProcess().log_wealth() == pytest.approx(0.0)
    assert PairedEProcess().lower_bound(ALPHA) == -0.5


def test_the_size_of_batches_does_not_change_the_evidence():
    rng = np.random.default_rng(7)
    champion, challenger = rng.random((2, 500))
    at_once, in_parts = PairedEProcess(), PairedEProcess()

    at_once.add(champion, challenger)
    for start in range(0, 500, 7):
        in_parts.add(champion[start : start + 7], challenger[start : start + 7])

    assert in_parts.log_wealth() == pytest.approx(at_once.log_wealth())


def test_all_successive_tests_together_spend_no_more_than_alpha():
    assert sum(alpha_spending(ALPHA, number) for number in range(1, 10_000)) < ALPHA
