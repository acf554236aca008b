"""The features of predicted rows as columns, within bounds."""

import numpy as np
import pytest

from modstream.audit import feature_table
from modstream.audit.feature_table import FeatureTable
from modstream.models.evaluation.monitoring.features import CategoryColumn, NumberColumn


def filled(*rows) -> FeatureTable:
    table = FeatureTable()
    for key, row in enumerate(rows):
        table.add(key, 100 + key, row)
    return table


def test_numbers_and_texts_become_columns_with_missing_values():
    table = filled({"temp": 1.5, "carrier": "UA"}, {"carrier": "B6", "wet": True}, {"temp": None})

    columns = table.columns(table.keys())

    assert columns["temp"].numbers.tolist() == pytest.approx([1.5, np.nan, np.nan], nan_ok=True)
    assert columns["wet"].numbers.tolist() == pytest.approx([np.nan, 1.0, np.nan], nan_ok=True)
    assert columns["carrier"].names == ("UA", "B6")
    assert columns["carrier"].codes.tolist() == [0, 1, -1]
    assert table.requests(np.array([2, 0])).tolist() == [102, 100]


def test_value_of_another_kind_is_missing():
    table = filled({"a": 1.0, "b": "x"}, {"a": "x", "b": 1.0}, {"a": 10**400, "b": [1]})

    columns = table.columns(table.keys())

    assert isinstance(columns["a"], NumberColumn)
    assert isinstance(columns["b"], CategoryColumn)
    assert columns["a"].missing().tolist() == columns["b"].missing().tolist() == [False, True, True]


def test_a_row_that_comes_twice_has_its_first_values():
    table = filled({"a": 1.0}, {"a": 2.0})
    table.add(1, 7, {"a": 3.0})

    assert table.keys().tolist() == [0, 1]
    assert table.columns(table.keys())["a"].numbers.tolist() == [1.0, 2.0]


def test_of_many_rows_a_regular_sample_is_kept(monkeypatch):
    monkeypatch.setattr(feature_table, "MAX_FEATURE_ROWS", 100)
    table = filled(*({"a": float(key), "b": "even" if key % 16 else None} for key in range(1000)))

    keys = table.keys()

    assert table.every == 16
    assert keys.tolist() == list(range(0, 1000, 16))
    assert table.columns(keys)["a"].numbers.tolist() == keys.tolist()
    assert table.requests(keys).tolist() == (keys + 100).tolist()


def test_features_and_texts_are_bounded(monkeypatch):
    monkeypatch.setattr(feature_table, "MAX_FEATURES", 3)
    monkeypatch.setattr(feature_table, "MAX_CATEGORIES", 2)
    table = filled({f"f{number}": "x" * 500 for number in range(9)}, {"f0": "b"}, {"f0": "c"})

    columns = table.columns(table.keys())

    assert list(columns) == ["f0", "f1", "f2"]
    assert columns["f0"].names == ("x" * 100, "b", "other")
