"""Adjustment of p-values for many tests, and intervals, against scipy and known values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from modstream.models.evaluation.monitoring.significance import (
    adjust_benjamini_yekutieli,
    adjust_holm,
    wilson_interval,
)

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=40).map(np.array)


@given(P_VALUES)
def test_adjusted_p_values_are_those_of_scipy(p_values):
    expected = stats.false_discovery_control(p_values, method="by")

    assert adjust_benjamini_yekutieli(p_values) == pytest.approx(expected)


@given(P_VALUES)
def test_holm_is_between_the_p_values_and_bonferroni(p_values):
    adjusted = adjust_holm(p_values)

    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(p_values * len(p_values), 1) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0).all()


def test_holm_of_a_textbook_example():
    assert adjust_holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])


def test_no_p_values_are_adjusted_to_none():
    assert len(adjust_holm(np.empty(0))) == len(adjust_benjamini_yekutieli(np.empty(0))) == 0


def test_wilson_interval_agrees_with_scipy():
    low, high = wilson_interval(np.array([7.0]), np.array([20.0]))

    expected = stats.binomtest(7, 20).proportion_ci(0.95, "wilson")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high))
