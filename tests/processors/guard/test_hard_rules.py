"""Nothing that could ruin a model gets past the guard."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.processors.guard.hard_rules import guard, time_fault
from tests.processors.small_fixtures import NUMBERS, SCHEMA, card

BINARY = card()
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
def test_a_bad_row_among_good_ones_is_refused_by_name(row, label, rule):
    found = guard(BINARY, [GOOD, row, GOOD], [True, label, False])

    assert [(o.position, o.rule) for o in found.offences] == [(1, rule)]
    assert (found.kept, found.labels, found.batch.size) == ([0, 2], [True, False], 2)


def test_one_and_true_teach_the_same_class():
    found = guard(BINARY, [GOOD, GOOD], [1, False])

    assert [(type(label), label) for label in found.labels] == [(bool, True), (bool, False)]


def test_unknown_features_are_left_out_up_to_a_bound():
    few, many = ({**GOOD, **{f"junk-{n}": n for n in range(count)}} for count in (100, 10_000))

    found = guard(BINARY, [few, many], [True, True], most_unknown=100)

    assert (found.kept, set(found.batch.columns)) == ([0], {"x", "city"})
    assert [offence.rule for offence in found.offences] == ["unknown_features"]


@pytest.mark.parametrize("time", [-1, 10**18])
def test_a_time_that_no_calendar_knows_is_a_fault(time):
    assert time_fault(time, 0)[0] == time_fault(0, time)[0] == "time"
    assert time_fault(0, 1_700_000_000_000) is None


@pytest.mark.parametrize(
    ("label", "fine"), [("a", True), ("d", False), (0, False), (None, False), (True, False)]
)
def test_a_multiclass_label_is_one_of_the_classes(label, fine):
    known = card(schema=NUMBERS, task="multiclass", classes=("a", "b"))

    found = guard(known, [{"a": 1, "b": 2}], [label])

    assert bool(found.kept) is fine


@pytest.mark.parametrize(
    ("label", "fine"), [(1.5, True), (3, True), (True, False), (math.inf, False), ("1", False)]
)
def test_a_regression_label_is_a_finite_number(label, fine):
    known = card(schema=NUMBERS, task="regression", classes=())

    found = guard(known, [{"a": 1, "b": 2}], [label])

    assert bool(found.kept) is fine


json_like = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(st.lists(st.tuples(st.dictionaries(st.sampled_from("xyc"), json_like), json_like)))
def test_every_row_is_either_kept_or_an_offence_and_none_raises(labelled):
    rows = [{"x": row.get("x"), "city": row.get("c"), **row} for row, _ in labelled]

    found = guard(BINARY, rows, [label for _, label in labelled])

    positions = sorted([*found.kept, *(offence.position for offence in found.offences)])
    assert positions == list(range(len(rows)))
    assert all(isinstance(label, bool) for label in found.labels)
    assert set(found.batch.columns) == set(SCHEMA.names)
