"""Labels and classes: JSON has one type of number, and the model's own classes come first."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.models.schema.class_labels import (
    ClassLabels,
    canonical_number,
    finite_number,
    show_label,
)
from modstream.models.schema.columns import Scalar

NO_CLASS = None
BIG = 2**53 + 1
CASES: tuple[tuple[tuple[Scalar, ...], object, int | None], ...] = (
    # Booleans, as of a card without classes.
    *(((False, True), label, index) for label, index in [(False, 0), (True, 1), (0, 0), (1, 1)]),
    *(((False, True), label, index) for label, index in [(0.0, 0), (1.0, 1), (-0.0, 0)]),
    *(
        ((False, True), label, NO_CLASS)
        for label in (2, 0.5, -1, "true", "1", "", None, [1], {1: 1})
    ),
    ((True, False), 1, 0),
    ((True, False), 0, 1),
    # Numbers 0 and 1: also true and false.
    *(((0, 1), label, index) for label, index in [(0, 0), (1, 1), (1.0, 1), (True, 1), (False, 0)]),
    *(((1, 0), label, index) for label, index in [(0, 1), (1, 0), (True, 0), (False, 1)]),
    *(((0.0, 1.0), label, index) for label, index in [(0, 0), (1, 1), (True, 1)]),
    # Other numbers: true is not 1.
    *(((1, 2), label, index) for label, index in [(1, 0), (2, 1), (1.0, 0), (2.0, 1)]),
    *(((1, 2), label, NO_CLASS) for label in (0, True, False, 3, "1", "2", 1.5)),
    *(((-1, 1), label, index) for label, index in [(-1, 0), (1, 1), (-1.0, 0), (0, NO_CLASS)]),
    *(((-1, 1), label, NO_CLASS) for label in (True, False, 0, "1")),
    *(((0, 1, 2), label, NO_CLASS) for label in (True, False)),
    *(((1.5, 2.5), label, index) for label, index in [(1.5, 0), (2.5, 1), (1, NO_CLASS)]),
    # Integers that float64 does not have.
    ((BIG, BIG + 1), BIG, 0),
    ((BIG, BIG + 1), BIG + 1, 1),
    ((BIG, BIG + 2), float(BIG), NO_CLASS),
    ((2**63 - 1, -(2**63)), -(2**63), 1),
    # Strings, exactly.
    *((("no", "yes"), label, index) for label, index in [("no", 0), ("yes", 1)]),
    *((("no", "yes"), label, NO_CLASS) for label in (0, 1, True, False, "Yes", " yes", "")),
    *((("1", "2"), label, index) for label, index in [("1", 0), ("2", 1), (1, NO_CLASS)]),
    # Mixed kinds: each label is of its own kind.
    *(((1, "1", True), label, index) for label, index in [(1, 0), ("1", 1), (True, 2), (1.0, 0)]),
    *(((False, "x"), label, index) for label, index in [(False, 0), ("x", 1), (0, NO_CLASS)]),
    *(((0, 1, "x"), label, index) for label, index in [(0, 0), (True, NO_CLASS)]),
    # Not a number at all.
    *(((0, 1), label, NO_CLASS) for label in (float("nan"), float("inf"), 10**400)),
    ((), 0, NO_CLASS),
)


@pytest.mark.parametrize(("classes", "label", "index"), CASES)
def test_label_is_the_class_of_the_same_json_value(
    classes: tuple[Scalar, ...], label: object, index: int | None
) -> None:
    labels = ClassLabels(classes)
    assert labels.index_of(label) == index
    canonical = labels.canonical(label)
    if index is None:
        assert canonical is None
    else:
        assert canonical is labels.label_of(index)


@pytest.mark.parametrize(
    ("task", "given_classes", "classes"),
    [
        ("binary", (), (False, True)),
        ("anomaly", (), (False, True)),
        ("binary", (1, 2), (1, 2)),
        ("anomaly", (1, -1), (1, -1)),
        ("regression", (), ()),
        ("multiclass", ("a", "b", "c"), ("a", "b", "c")),
    ],
)
def test_two_class_tasks_have_booleans_unless_the_card_names_classes(
    task: str, given_classes: tuple[Scalar, ...], classes: tuple[object, ...]
) -> None:
    found = ClassLabels.of(task, given_classes)
    assert [(type(one), one) for one in found.classes] == [(type(one), one) for one in classes]


def test_equality_tells_true_from_one() -> None:
    assert ClassLabels((0, 1)) == ClassLabels((0, 1))
    assert ClassLabels((0, 1)) != ClassLabels((False, True))
    assert ClassLabels((0, 1)) != ClassLabels((0.0, 1.0))
    assert len({ClassLabels((0, 1)), ClassLabels((False, True)), ClassLabels((0, 1))}) == 2


def test_class_in_a_prediction_may_be_named() -> None:
    labels = ClassLabels((1, 2.5, "x"))
    assert [labels.index_of_output(one) for one in (1, "1", 2.5, "2.5", "x", "y", None)] == [
        *(0, 0, 1, 1, 2, None, None)
    ]
    assert ClassLabels((False, True)).index_of_output("True") == 1


json_scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-2, 2),
    st.floats(allow_nan=False),
    st.sampled_from([0.0, 1.0, -1.0, 1.5]),
    st.text(max_size=4),
    st.sampled_from(["0", "1", "True", "no", "yes"]),
)


@given(st.lists(json_scalars, min_size=1, max_size=5), json_scalars)
def test_any_label_is_the_first_class_with_the_same_json_value(
    classes: list[Scalar], label: Scalar
) -> None:
    def kind(value: object) -> str:
        if isinstance(value, bool):
            return "bool"
        return "string" if isinstance(value, str) else "number"

    same = [at for at, one in enumerate(classes) if kind(one) == kind(label) and one == label]
    found = ClassLabels(classes).index_of(label)
    if same:
        assert found == same[0]
    elif found is not None:
        # Only between booleans and the numbers 0 and 1, and only if there is nothing else.
        assert {kind(one) for one in classes} in ({"bool"}, {"number"})
        assert {kind(label), kind(classes[found])} == {"bool", "number"}
        assert classes[found] == label


@given(st.lists(json_scalars, min_size=1, max_size=5))
def test_class_survives_the_way_through_json(classes: list[Scalar]) -> None:
    labels = ClassLabels(classes)
    for one in classes:
        sent = json.loads(json.dumps(one))
        assert labels.index_of(sent) == labels.index_of(one)
        assert labels.index_of_output(sent) == labels.index_of(one)


def test_rejection_names_the_classes_and_stays_short() -> None:
    assert ClassLabels((1, 2)).reject("2") == "'2' is not one of the classes 1, 2"
    assert ClassLabels(("no", "yes")).reject(True) == "True is not one of the classes 'no', 'yes'"
    many = ClassLabels([f"class {number}" * 100 for number in range(1000)])
    assert len(many.reject("x" * 1_000_000)) < 3000
    assert "1000000 characters" in many.reject("x" * 1_000_000)
    assert "and 980 more" in many.reject(10**5000)


@pytest.mark.parametrize(
    ("label", "number"),
    [
        (1, 1.0),
        (2.5, 2.5),
        (-0.0, 0.0),
        (10**300, 1e300),
        (BIG, float(BIG)),
        (-(2**63), -(2.0**63)),
    ],
)
def test_finite_number(label: float, number: float) -> None:
    assert finite_number(label) == number
    assert canonical_number(label) == number


@pytest.mark.parametrize(
    "label",
    [
        True,
        False,
        "1",
        None,
        [],
        {},
        float("nan"),
        float("inf"),
        -float("inf"),
        10**401,
        -(10**401),
    ],
)
def test_what_is_no_finite_number(label: object) -> None:
    assert finite_number(label) is None
    assert canonical_number(label) is None


def test_exact_integers_are_learned_as_integers() -> None:
    assert type(canonical_number(7)) is int
    assert type(canonical_number(2**60)) is float


def test_any_label_can_be_shown() -> None:
    for label in (10**401, 10**5000, "x" * 10**6, None, [1] * 10**5, float("nan")):
        assert len(show_label(label)) < 500
