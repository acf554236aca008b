"""The difference between two predictions."""

import math

import pytest

from modstream.models.trial.comparison import largest_difference

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("expected", "found", "difference"),
    [
        (0.5, 0.5, 0.0),
        (0.5, 0.25, 0.25),
        (1000.0, 1001.0, 0.001),
        ([0.1, 0.9], [0.2, 0.9], 0.1),
        ([0.1], [0.1, 0.2], INF),
        (NAN, NAN, 0.0),
        (NAN, 1.0, INF),
        (1.0, NAN, INF),
        (1.0, INF, INF),
        (INF, INF, 0.0),
        ({"label": "a", "margin": 1.0}, {"label": "a", "margin": 1.5}, 0.5),
        ({"label": "a"}, {"label": "b"}, INF),
        ({"label": "a"}, {"value": 1.0}, INF),
        ({"label": True}, {"label": False}, INF),
        ({"values": {"x": 1.0, "y": 2.0}}, {"values": {"x": 1.0, "y": 4.0}}, 1.0),
        ([], [], 0.0),
    ],
)
def test_the_largest_difference_is_found_at_any_depth(expected, found, difference):
    assert largest_difference(expected, found) == pytest.approx(difference)
