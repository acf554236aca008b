"""Conformal sets and intervals in answers, made from outputs and compared with labels."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.models.evaluation.served_sets import (
    ServedThreshold,
    is_inside,
    label_score,
    make_output,
)
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.schema.class_labels import ClassLabels

BINARY = VersionLabels("binary", ClassLabels((False, True)))
COLOURS = VersionLabels("multiclass", ClassLabels(("red", "green", "blue")))
NUMBERS = VersionLabels("multiclass", ClassLabels((0, 1, 2)))
PRICE = VersionLabels("regression", ClassLabels(()))
PALE = {"label": "red", "probabilities": {"red": 0.5, "green": 0.3, "blue": 0.2}}


def threshold_of(value, version=BINARY, coverage=0.9):
    return ServedThreshold(version.task, coverage, 700, value)


@pytest.mark.parametrize(
    ("version", "outputs", "value", "expected"),
    [
        (BINARY, {"probability": 0.75}, 0.5, {"set": [True]}),
        (BINARY, {"probability": 0.75}, 0.75, {"set": [False, True]}),
        (BINARY, {"probability": 0.75}, 0.1, {"set": []}),
        (BINARY, {"probability": 0.75}, inf, {"set": [False, True]}),
        (BINARY, {"probability": 0.75}, -inf, {"set": []}),
        (COLOURS, PALE, 0.75, {"set": ["red", "green"]}),
        (PRICE, {"value": 10.0}, 2.5, {"interval": [7.5, 12.5]}),
        (PRICE, {"value": 10.0}, inf, {"interval": [None, None]}),
        (PRICE, {"value": 10.0}, -inf, {"interval": []}),
        (PRICE, {"value": 1e308}, 1e308, {"interval": [0.0, None]}),
    ],
)
def test_output_has_the_labels_whose_score_is_at_most_the_threshold(
    version, outputs, value, expected
):
    made = make_output(version, outputs, threshold_of(value, version))

    assert made == {**expected, "coverage": 0.9, "labels": 700}


@pytest.mark.parametrize(
    ("version", "outputs"),
    [
        (BINARY, {}),
        (BINARY, {"probability": None}),
        (COLOURS, {"label": "red"}),
        (COLOURS, {"probabilities": {"red": 0.5}}),
        (PRICE, {"value": "7"}),
    ],
)
def test_outputs_of_another_task_have_no_set(version, outputs):
    assert make_output(version, outputs, threshold_of(0.5, version)) is None
    assert label_score(version, 1, outputs) is None


def test_score_is_one_minus_the_probability_of_the_label_or_the_absolute_error():
    assert label_score(BINARY, 1, {"probability": 0.75}) == 0.25
    assert label_score(BINARY, False, {"probability": 0.75}) == 0.75
    assert label_score(COLOURS, "blue", PALE) == pytest.approx(0.8)
    assert label_score(COLOURS, "pink", PALE) is None
    assert label_score(PRICE, 12, {"value": 10.0}) == 2.0
    assert label_score(VersionLabels("anomaly", ClassLabels((0, 1))), 1, {"score": 1.0}) is None


@given(
    st.floats(0, 1),
    st.booleans(),
    st.sampled_from([inf, -inf]) | st.floats(0, 1),
)
def test_label_is_inside_exactly_if_its_score_is_at_most_the_threshold(probability, label, value):
    outputs = {"probability": probability}
    made = make_output(BINARY, outputs, threshold_of(value))

    assert is_inside(BINARY, label, made, 0.9) == (label_score(BINARY, label, outputs) <= value)


@given(
    st.lists(st.floats(0.001, 1), min_size=3, max_size=3),
    st.integers(0, 2),
    st.floats(0, 1),
)
def test_numbers_as_classes_are_found_in_their_set(weights, label, value):
    shares = [one / sum(weights) for one in weights]
    outputs = {"label": 0, "probabilities": dict(zip("012", shares, strict=True))}
    made = make_output(NUMBERS, outputs, threshold_of(value, NUMBERS))

    assert is_inside(NUMBERS, label, made, 0.9) == (label_score(NUMBERS, label, outputs) <= value)


@pytest.mark.parametrize(
    ("label", "ends", "expected"),
    [
        (7.5, [7.5, 12.5], True),
        (12.6, [7.5, 12.5], False),
        (1e300, [7.5, None], True),
        (-1e300, [None, None], True),
        (7.5, [], False),
        ("x", [7.5, 12.5], None),
        (7.5, [7.5], None),
    ],
)
def test_number_is_inside_between_the_ends(label, ends, expected):
    assert is_inside(PRICE, label, {"interval": ends, "coverage": 0.9}, 0.9) is expected


@pytest.mark.parametrize(
    "served",
    [
        None,
        [],
        {},
        {"set": [True]},
        {"set": [True], "coverage": 0.8},
        {"set": "x", "coverage": 0.9},
    ],
)
def test_answer_without_a_set_of_the_same_coverage_says_nothing(served):
    assert is_inside(BINARY, True, served, 0.9) is None
