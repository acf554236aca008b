"""Hard rules: rows and labels that could ruin a model are rejected."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.processors.guard.hard_rules import check_times, validate
from tests.processors.small_fixtures import SCHEMA, TWO_FLOATS, make_card

BINARY = make_card()
GOOD = {"x": 1.0, "city": "JFK"}


@pytest.mark.parametrize(
    ("row", "label", "rule"),
    [
        ({**GOOD, "x": math.nan}, True, "not_finite"),
        ({**GOOD, "x": math.inf}, True, "not_finite"),
        ({**GOOD, "x": 1e300}, True, "out_of_range"),
        ({**GOOD, "x": "1"}, True, "wrong_type"),
        ({**GOOD, "x": None}, True, "wrong_type"),
        ({"city": "JFK"}, True, "missing_feature"),
        (GOOD, None, "label_domain"),
        (GOOD, "yes", "label_domain"),
        (GOOD, 2, "label_domain"),
        (GOOD, math.nan, "label_domain"),
    ],
)
def test_an_invalid_row_among_valid_ones_is_rejected_by_its_rule(row, label, rule):
    result = validate(BINARY, [GOOD, row, GOOD], [True, label, False])

    assert [(one.position, one.rule) for one in result.violations] == [(1, rule)]
    assert (result.kept, result.labels, result.batch.size) == ([0, 2], [True, False], 2)


def test_1_and_true_are_the_same_class():
    result = validate(BINARY, [GOOD, GOOD], [1, False])

    assert [(type(label), label) for label in result.labels] == [(bool, True), (bool, False)]


def test_unknown_features_are_dropped_up_to_a_limit():
    few, many = ({**GOOD, **{f"junk-{n}": n for n in range(count)}} for count in (100, 10_000))

    result = validate(BINARY, [few, many], [True, True], max_unknown=100)

    assert (result.kept, set(result.batch.columns)) == ([0], {"x", "city"})
    assert [one.rule for one in result.violations] == ["unknown_features"]


@pytest.mark.parametrize("time", [-1, 10**18])
def test_a_time_outside_1970_to_9999_is_a_violation(time):
    assert check_times(time, 0)[0] == check_times(0, time)[0] == "time"
    assert check_times(0, 1_700_000_000_000) is None


@pytest.mark.parametrize(
    ("label", "is_valid"), [("a", True), ("d", False), (0, False), (None, False), (True, False)]
)
def test_a_multiclass_label_is_one_of_the_classes(label, is_valid):
    known = make_card(schema=TWO_FLOATS, task="multiclass", classes=("a", "b"))

    result = validate(known, [{"a": 1, "b": 2}], [label])

    assert bool(result.kept) is is_valid


@pytest.mark.parametrize(
    ("label", "is_valid"), [(1.5, True), (3, True), (True, False), (math.inf, False), ("1", False)]
)
def test_a_regression_label_is_a_finite_number(label, is_valid):
    known = make_card(schema=TWO_FLOATS, task="regression", classes=())

    result = validate(known, [{"a": 1, "b": 2}], [label])

    assert bool(result.kept) is is_valid


json_like = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@pytest.mark.slow
@given(st.lists(st.tuples(st.dictionaries(st.sampled_from("xyc"), json_like), json_like)))
def test_every_row_is_either_valid_or_a_violation_and_none_raises(labelled):
    rows = [{"x": row.get("x"), "city": row.get("c"), **row} for row, _ in labelled]

    result = validate(BINARY, rows, [label for _, label in labelled])

    positions = sorted([*result.kept, *(one.position for one in result.violations)])
    assert positions == list(range(len(rows)))
    assert all(isinstance(label, bool) for label in result.labels)
    assert set(result.batch.columns) == set(SCHEMA.names)


@pytest.mark.parametrize("task", ["clustering", "transformation"])
@pytest.mark.parametrize("label", [1, 2.5, "x", True])
def test_a_label_that_is_not_used_is_accepted(task, label):
    known = make_card(schema=TWO_FLOATS, task=task, classes=())

    assert validate(known, [{"a": 1, "b": 2}], [label]).labels == [label]


@pytest.mark.parametrize("task", ["multioutput_regression", "multioutput_classification"])
def test_one_label_is_none_of_several_outputs(task):
    known = make_card(schema=TWO_FLOATS, task=task, classes=())

    (found,) = validate(known, [{"a": 1, "b": 2}], [1]).violations

    assert (found.rule, found.detail) == (
        "label_domain",
        f"1 cannot be the label of a model of task {task}",
    )


def test_the_reason_names_the_classes_and_is_short():
    known = make_card(schema=TWO_FLOATS, classes=("no", "yes"))
    labels = [1, "x" * 1_000_000, 10**5000]

    found = validate(known, [{"a": 1, "b": 2}] * 3, labels).violations

    assert found[0].detail == "1 is not one of the classes 'no', 'yes'"
    assert all(len(one.detail) < 200 for one in found)
