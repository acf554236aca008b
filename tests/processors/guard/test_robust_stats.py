"""Robust distances from the median of recent numbers."""

import numpy as np
import pytest

from modstream.processors.guard.robust_stats import RobustWindow


@pytest.fixture
def normal():
    return np.random.default_rng(7).normal([50.0, -3.0], [10.0, 0.1], size=(2000, 2))


def test_distances_of_normal_numbers_are_standard_deviations(normal):
    window = RobustWindow(1000, 2, 100)
    window.add(normal)

    distances = window.distances(np.array([[50.0, -3.0], [90.0, -3.0], [50.0, -2.5]]))

    assert distances == pytest.approx(np.array([[0, 0], [4, 0], [0, 5]]), abs=0.4)


def test_a_first_batch_is_compared_with_itself(normal):
    window = RobustWindow(1000, 2, 100)

    distances = window.distances(np.vstack([normal[:200], [[1e308, -3.0]] * 50]))

    assert (distances[:200] < 8).all()
    assert (distances[200:, 0] > 1e300).all()


def test_distances_are_0_before_the_minimum_number_of_rows(normal):
    window = RobustWindow(1000, 2, 100)
    window.add(normal[:50])

    assert not window.distances(np.array([[1e9, 1e9]])).any()


def test_distances_are_0_where_most_numbers_are_equal():
    window = RobustWindow(1000, 1, 10)
    window.add(np.array([[0.0]] * 60 + [[1.0]] * 40))

    assert not window.distances(np.array([[500.0]])).any()


def test_the_window_follows_added_numbers(normal):
    window = RobustWindow(1000, 2, 100)
    for part in (normal, normal + 500.0):
        for start in range(0, len(part), 37):
            window.distances(part[start : start + 37])
            window.add(part[start : start + 37])

    assert window.distances(np.array([[550.0, 497.0]])).max() < 1
    assert window.distances(np.array([[50.0, -3.0]])).min() > 40


def test_missing_numbers_have_no_distance_and_do_not_move_the_median(normal):
    window = RobustWindow(1000, 2, 100)
    gaps = normal.copy()
    gaps[::3, 0] = np.nan
    window.add(gaps)

    distances = window.distances(np.array([[np.nan, -3.0], [90.0, np.nan]]))

    assert distances == pytest.approx(np.array([[0, 0], [4, 0]]), abs=0.4)


def test_a_column_of_missing_numbers_has_no_distances():
    window = RobustWindow(100, 1, 10)
    window.add(np.full((50, 1), np.nan))

    assert not window.distances(np.array([[np.nan], [5.0], [1e308], [-1e308]])).any()
