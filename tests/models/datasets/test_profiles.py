"""Profiles of columns: distributions that are named rightly, figures that are right."""

import numpy as np
import pytest

from modstream.models.datasets.associations import (
    associate,
    information_share,
    number_codes,
    text_codes,
)
from modstream.models.datasets.column_profiles import (
    ColumnProfile,
    histogram_of,
    profile_numbers,
    profile_texts,
)
from modstream.models.datasets.distributions import fit_distribution
from modstream.models.datasets.label_proposal import propose_label
from modstream.models.datasets.profile import DatasetProfile, remarks

RANDOM = np.random.default_rng(1)
SIZE = 4_000


@pytest.mark.parametrize(
    ("family", "values", "parameter", "expected"),
    [
        ("normal", RANDOM.normal(50, 4, SIZE), "mean", 50),
        ("lognormal", RANDOM.lognormal(2, 0.8, SIZE), "median", np.exp(2)),
        ("exponential", RANDOM.exponential(7, SIZE), "mean", 7),
        ("uniform", RANDOM.uniform(-3, 5, SIZE), "width", 8),
    ],
)
def test_a_family_is_found_with_its_parameters(family, values, parameter, expected):
    found = fit_distribution(values)

    assert (found.family, found.fits) == (family, True)
    assert found.parameters[parameter] == pytest.approx(expected, rel=0.05)
    assert str(found).startswith(f"{family} (")


@pytest.mark.parametrize(
    "values",
    [
        np.concatenate([RANDOM.normal(0, 1, SIZE), RANDOM.normal(12, 1, SIZE)]),
        RANDOM.integers(0, 3, SIZE).astype(float),
        np.concatenate([np.zeros(SIZE), RANDOM.exponential(1, 100)]),
        RANDOM.standard_cauchy(SIZE),
    ],
    ids=["two hills", "three values", "mostly zero", "heavy tails"],
)
def test_what_no_family_fits_is_not_named(values):
    assert not fit_distribution(values).fits


@pytest.mark.parametrize("values", [np.full(SIZE, 3.0), np.arange(10.0)])
def test_constant_or_few_values_have_no_distribution(values):
    assert fit_distribution(values) is None


def test_many_values_are_fitted_by_a_part_of_them():
    values = RANDOM.normal(0, 1, 100_000)

    assert fit_distribution(values).family == "normal"


def test_the_figures_of_a_column_of_numbers_are_those_of_numpy():
    values = np.array([3.0, 1.0, 0.0, np.inf, 8.0, 1.0])

    found = profile_numbers("x", "float", 8, values)

    assert (found.rows, found.missing, found.distinct) == (8, 3, 4)
    assert (found.numbers.minimum, found.numbers.maximum, found.numbers.mean) == (0, 8, 2.6)
    assert (found.numbers.median, found.numbers.zeros) == (1, 1)
    assert found.numbers.quantiles[0.75] == 3
    assert found.distribution is None


def test_a_column_without_values_has_no_figures():
    found = profile_numbers("x", "float", 2, np.array([np.nan, np.nan]))

    assert (found.missing, found.numbers, found.histogram) == (2, None, None)


def test_the_bins_of_a_histogram_have_all_values():
    values = np.concatenate([RANDOM.normal(0, 1, 10_000), [1e6, -1e6]])

    found = histogram_of(values)

    assert sum(found.counts) + found.below + found.above == len(values)
    assert found.above >= 1
    assert found.edges[-1] < 5


def test_few_whole_numbers_have_a_bin_each():
    found = histogram_of(np.array([1.0, 1.0, 4.0]))

    assert (found.counts, found.ends) == ((2, 0, 0, 1), (1.0, 4.0))


def test_the_most_frequent_texts_come_first():
    found = profile_texts("c", "string", 10, [("b", 2), ("a", 2), ("z", 5)])

    assert (found.missing, found.distinct, found.top) == (1, 3, (("z", 5), ("a", 2), ("b", 2)))


def test_information_is_one_for_a_function_and_nothing_for_noise():
    numbers = RANDOM.normal(0, 1, SIZE)
    function = text_codes(["high" if one > 0 else "low" for one in numbers])
    noise = number_codes(RANDOM.normal(0, 1, SIZE))

    assert information_share(number_codes(numbers), function) > 0.95
    assert information_share(number_codes(numbers), noise) < 0.01
    assert np.isnan(information_share(noise, np.zeros(SIZE, np.intp)))


def test_columns_are_associated_in_pairs_and_with_gaps():
    x = RANDOM.normal(0, 1, SIZE)
    y = np.where(RANDOM.random(SIZE) < 0.1, np.nan, -(x**3))
    words = ["a" if one > 0 else None for one in x]

    found = associate({"x": x, "y": y, "noise": RANDOM.random(SIZE)}, {"word": words}, SIZE)

    (pair, *_) = found.correlated(1)
    assert {pair.first, pair.second} == {"x", "y"}
    assert pair.value == pytest.approx(-1)
    assert found.with_column("word")[0].second == "x"
    assert found.with_column("nothing") == []
    assert found.strongest(2)[0].value > 0.5


def column(name, distinct, kind="string", rows=100, missing=0):
    return ColumnProfile(name, kind, rows, missing, distinct)


def test_a_label_is_proposed_by_its_name_and_its_values():
    columns = [column("id", 100), column("late", 2, "bool"), column("x", 50, "float")]

    assert propose_label(columns).column == "late"
    assert "two different values" in propose_label(columns).reason
    assert propose_label(columns, "x").reason == "the catalogue records it as the label"
    assert propose_label([column("id", 100), column("x", 50, "float")]) is None
    assert propose_label([column("a", 9), column("species", 3), column("b", 1)]).column == "species"


def test_remarks_name_ids_constants_gaps_and_leaks():
    x = RANDOM.random(4_000)
    label = ["yes" if one > 0.5 else "no" for one in x]
    columns = (
        column("id", 100), column("same", 1), column("rare", 5, missing=80),
        column("label", 2, missing=3), column("x", 100, "float"),
    )  # fmt: skip
    profile = DatasetProfile(
        "t@1", "here", 100, 1, columns, associate({"x": x}, {"label": label}, 4_000),
        propose_label(columns), None, "00",
    )  # fmt: skip

    found = " ".join(remarks(profile))

    for sentence in (
        "id is different in all rows", "same has the same value", "rare is missing in 80%",
        "label is missing in 3 rows", "x nearly determines the label",
    ):  # fmt: skip
        assert sentence in found
    assert profile.missing == 83
