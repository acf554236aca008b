"""Bins of features: bounded in number, with names, and with a bin for missing values."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modstream.models.evaluation.monitoring.features import (
    CategoryColumn,
    NumberColumn,
    bin_column,
    fit_bins,
)


def categories(*values: str | None) -> CategoryColumn:
    names = tuple(sorted({one for one in values if one is not None}))
    codes = [-1 if one is None else names.index(one) for one in values]
    return CategoryColumn(np.array(codes), names)


def test_rare_categories_are_others_and_missing_ones_have_their_own_bin():
    binned = bin_column(categories("UA", "UA", "B6", "B6", "HA", None), 2, 2)

    assert binned.names == ("B6", "UA", "other", "missing")
    assert binned.codes.tolist() == [1, 1, 0, 0, 2, 3]


def test_numbers_with_few_values_have_a_bin_for_each():
    binned = bin_column(NumberColumn(np.array([6.0, 0.0, np.nan, 0.0, 1.0])), 7, 7)

    assert binned.names == ("0", "1", "6", "missing")
    assert binned.codes.tolist() == [2, 0, 3, 0, 1]


def test_edges_of_quantile_bins_are_in_their_names():
    binned = bin_column(NumberColumn(np.arange(100.0)), 4, 4)

    assert binned.names == ("<24", "24 to <49", "49 to <74", "≥74", "missing")
    assert np.bincount(binned.codes).tolist() == [24, 25, 25, 26]


def test_value_of_most_rows_has_a_bin_of_its_own():
    rain = np.concatenate([np.zeros(900), np.linspace(0.01, 1, 100)])

    binned = bin_column(NumberColumn(rain), 10, 10)

    assert binned.names[0] == "<0.01"
    assert np.bincount(binned.codes)[0] == 900
    assert len(binned.names) >= 3


def test_values_that_the_reference_lacks_fall_into_its_bins():
    bins = fit_bins(categories("UA", "UA", "B6"), 1)
    numbers = fit_bins(NumberColumn(np.arange(50.0)), 5)

    assert bins.assign(categories("XX", None, "UA")).tolist() == [1, 2, 0]
    assert numbers.assign(NumberColumn(np.array([-9.0, 900.0, np.nan]))).tolist() == [0, 4, 5]


def test_feature_that_changes_its_kind_is_still_counted():
    numbers, texts = fit_bins(NumberColumn(np.arange(9.0)), 3), fit_bins(categories("a"), 3)

    assert numbers.assign(categories("a", None)).tolist() == [3, 3]
    assert texts.assign(NumberColumn(np.array([1.0, np.nan]))).tolist() == [1, 2]


@given(
    st.lists(st.floats(allow_infinity=True), max_size=60),
    st.integers(1, 8),
)
def test_every_number_is_in_one_of_at_most_k_bins_or_missing(values, max_bins):
    column = NumberColumn(np.array(values, dtype=float))

    binned = bin_column(column, max_bins, max_bins)

    assert len(binned.names) <= max_bins + 1
    assert ((binned.codes >= 0) & (binned.codes < len(binned.names))).all()
    assert ((binned.codes == len(binned.names) - 1) == column.missing()).all()
