"""The decision threshold by the costs of errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.models.training.costs import ErrorCosts, choose_threshold, measure_threshold
from modstream.models.training.errors import CostsMissing


def cost(threshold, targets, probabilities, costs):
    predicted = probabilities >= threshold
    raised = (predicted & (targets == 0)).sum() * costs.false_positive
    return raised + (~predicted & (targets == 1)).sum() * costs.false_negative


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=1, max_size=40),
    st.integers(0, 5),
    st.integers(1, 5),
)
def test_no_threshold_is_cheaper(rows, false_positive, false_negative):
    targets = np.array([int(label) for label, _ in rows])
    probabilities = np.array([number / 10 for _, number in rows])
    costs = ErrorCosts(false_positive, false_negative)

    found = choose_threshold(targets, probabilities, costs)

    every = [cost(one, targets, probabilities, costs) for one in [0, *probabilities, 1, 1.1]]
    reachable = [cost(one, targets, probabilities, costs) for one in [*probabilities, 1]]
    assert cost(found, targets, probabilities, costs) == min(reachable)
    assert min(reachable) <= every[0]


def test_expensive_misses_lower_the_threshold():
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(size=20_000)
    targets = (rng.uniform(size=20_000) < probabilities).astype(int)

    found = choose_threshold(targets, probabilities, ErrorCosts(1.0, 4.0))

    assert found == pytest.approx(0.2, abs=0.05)
    measured = measure_threshold(found, targets, probabilities, ErrorCosts(1.0, 4.0))
    assert measured.cost_per_row < measured.cost_at_half
    assert measured.calibrated_threshold == pytest.approx(0.2)


def test_errors_are_counted():
    targets, probabilities = np.array([0, 0, 1, 1]), np.array([0.9, 0.1, 0.8, 0.2])

    found = measure_threshold(0.5, targets, probabilities, ErrorCosts(2.0, 3.0))

    assert (found.false_positives, found.false_negatives) == (1, 1)
    assert found.cost_per_row == pytest.approx(5 / 4)


@pytest.mark.parametrize("costs", [(1.0, None), (None, 1.0), (-1.0, 1.0), (0.0, 0.0)])
def test_incomplete_costs_are_refused(costs):
    with pytest.raises(CostsMissing, match="no decision threshold can be chosen"):
        ErrorCosts.of(*costs)


def test_without_costs_there_is_no_threshold():
    assert ErrorCosts.of(None, None) is None
