"""Drift per feature: its size and its significance."""

import numpy as np
import pytest

from modstream.models.evaluation.monitoring.feature_drift import (
    MIN_ROWS,
    measure_feature_drift,
    population_stability_index,
)
from modstream.models.evaluation.monitoring.features import CategoryColumn, NumberColumn

NAMES = ("EWR", "JFK", "LGA")


def window(rng, size: int, mean=0.0, shares=(0.4, 0.3, 0.3), missing=0.0):
    numbers = rng.normal(mean, 1, size)
    numbers[rng.random(size) < missing] = np.nan
    return {
        "temp": NumberColumn(numbers),
        "origin": CategoryColumn(rng.choice(3, size, p=shares), NAMES),
    }


def by_name(found):
    return {one.feature: one for one in found}


def test_population_stability_index_of_known_shares():
    before, after = np.array([500_000.0, 500_000.0]), np.array([600_000.0, 400_000.0])

    expected = 0.1 * np.log(0.6 / 0.5) - 0.1 * np.log(0.4 / 0.5)
    assert population_stability_index(before, after) == pytest.approx(expected, rel=1e-4)


def test_bin_that_is_empty_on_one_side_has_a_finite_index():
    assert np.isfinite(population_stability_index(np.array([50.0, 0.0]), np.array([0.0, 50.0])))


def test_shifted_features_are_large_and_significant():
    rng = np.random.default_rng(1)
    before = window(rng, 2000)
    after = window(rng, 2000, mean=1.0, shares=(0.1, 0.3, 0.6))

    found = by_name(measure_feature_drift(before, after))

    assert (found["temp"].test, found["origin"].test) == ("ks", "chi2")
    for one in found.values():
        assert one.psi > 0.25
        assert one.p_value < 1e-6


def test_missing_values_are_a_change():
    rng = np.random.default_rng(2)

    found = by_name(measure_feature_drift(window(rng, 2000), window(rng, 2000, missing=0.2)))

    assert found["temp"].psi > 0.25
    assert found["temp"].p_value < 1e-6
    assert (found["temp"].missing_before, found["origin"].missing_after) == (0.0, 0.0)
    assert found["temp"].missing_after == pytest.approx(0.2, abs=0.03)


def test_category_that_is_new_is_a_change():
    before = {"origin": CategoryColumn(np.zeros(500, dtype=np.int64), ("EWR",))}
    after = {"origin": CategoryColumn(np.repeat([0, 1], 250), ("EWR", "HPN"))}

    (found,) = measure_feature_drift(before, after)

    assert found.psi > 0.25
    assert found.p_value < 1e-6


def test_without_drift_few_windows_are_significant_and_the_index_is_that_of_chance():
    rng = np.random.default_rng(3)
    found = [
        measure_feature_drift(window(rng, 400), window(rng, 400)) for _ in range(100)
    ]  # fmt: skip

    significant = [any(one.p_value < 0.05 for one in each) for each in found]
    assert np.mean(significant) <= 0.1
    temp = [by_name(each)["temp"] for each in found]
    by_chance = np.mean([one.psi_by_chance for one in temp])
    assert np.mean([one.psi for one in temp]) == pytest.approx(by_chance, rel=0.15)


def test_constant_feature_has_not_drifted():
    column = {"flag": NumberColumn(np.ones(200)), "one": CategoryColumn(np.zeros(200, int), ("a",))}

    found = measure_feature_drift(column, column)

    assert all((one.psi, one.p_value) == (0.0, 1.0) for one in found)


def test_too_few_rows_are_not_compared():
    rng = np.random.default_rng(4)

    assert measure_feature_drift(window(rng, MIN_ROWS - 1), window(rng, 500)) == ()
