"""Expectations on files and on rows of a stream: the same cells are named."""

import math

import pyarrow as pa
import pytest

from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import Provenance
from modstream.datasets.errors import ExpectationsInvalid
from modstream.datasets.staged_version import Description
from modstream.models.datasets.expectations import (
    ColumnExpectation,
    Expectations,
    RowExpectation,
    to_toml,
)
from modstream.models.schema.feature import Feature
from modstream.models.schema.input_schema import InputSchema
from modstream.operations.datasets import validation
from modstream.operations.datasets.validation import (
    expectations_of,
    read_expectations,
    validate_dataset,
)
from modstream.operations.datasets.validator import CellFailure, Validator

TABLE = {
    "x": [1.0, math.nan, 7.5, -3.0, 2.0],
    "n": [1, 2, None, 4, 2],
    "place": ["EWR", "JFK", "LGA", "", None],
    "flag": [True, False, True, None, True],
}
CHECKS = """
def even(values):
    return values % 2 == 0

def x_below_n(frame):
    return frame.x < frame.n

def broken(values):
    raise RuntimeError("no idea")

NUMBER = 1
"""


@pytest.fixture
def dataset(tmp_path):
    with Catalogue(tmp_path / "data").create("things") as staged:
        staged.write_table(pa.table(TABLE))
        return staged.commit(Description(Provenance(operation="ingest", source="here")))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(CHECKS)
    return tmp_path


def rows_of(table):
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


def expect(folder=None, rows=None, **columns):
    return Expectations(columns=columns, rows=rows or RowExpectation(), folder=folder)


CASES = {
    "kind": (
        {"n": ColumnExpectation(kind="string", missing=True)},
        [("n", row, "kind string") for row in (0, 1, 3, 4)],
    ),
    "missing": (
        {"x": ColumnExpectation(), "place": ColumnExpectation(kind="string")},
        [("x", 1, "missing"), ("place", 4, "missing")],
    ),
    "bounds": (
        {"x": ColumnExpectation(kind="float", missing=True, low=0, high=5)},
        [("x", 2, "high 5"), ("x", 3, "low 0")],
    ),
    "values": (
        {"place": ColumnExpectation(missing=True, values=["EWR", "JFK"])},
        [("place", 2, "values"), ("place", 3, "values")],
    ),
    "pattern": (
        {"place": ColumnExpectation(missing=True, pattern="[A-Z]{3}")},
        [("place", 3, "pattern [A-Z]{3}")],
    ),
    "own": (
        {"n": ColumnExpectation(missing=True, checks=["mine:even"])},
        [("n", 0, "mine:even")],
    ),
    "unique": ({"n": ColumnExpectation(missing=True, unique=True)}, [("n", 4, "unique")]),
    "right": (
        {
            "x": ColumnExpectation(kind="float", missing=True),
            "n": ColumnExpectation(kind="int", missing=True),
            "flag": ColumnExpectation(kind="bool", missing=True, values=[True, False]),
            "absent": ColumnExpectation(missing=True),
        },
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_cells_of_files_and_of_rows_are_named(case, dataset, folder):
    columns, expected = CASES[case]
    expectations = expect(folder, **columns)

    result = validate_dataset(dataset, expectations)
    of_rows = Validator(expectations).check_rows(rows_of(TABLE))

    found = [(one.column, one.row, one.rule) for one in result.examples]
    assert sorted(found) == sorted(expected)
    assert result.is_valid == (not expected)
    named = {(one.column, one.row, one.rule) for one in of_rows}
    # Of repeated values, pandera names all, which is right where only a batch is known.
    assert named >= set(expected)
    assert case == "unique" or named == set(expected)


def test_rows_are_numbered_through_all_batches(dataset, monkeypatch):
    monkeypatch.setattr(validation, "BATCH_ROWS", 2)
    expectations = expect(x=ColumnExpectation(missing=True, high=5), n=ColumnExpectation())

    result = validate_dataset(dataset, expectations)

    assert result.examples == [
        CellFailure("n", 2, "", "missing"),
        CellFailure("x", 2, "7.5", "high 5"),
    ]
    assert result.rows == 5


def test_a_check_of_rows_names_the_row(dataset, folder):
    expectations = expect(folder, RowExpectation(checks=["mine:x_below_n"], least=6))

    result = validate_dataset(dataset, expectations)

    assert [(one.row, one.rule) for one in result.examples] == [
        (0, "mine:x_below_n"), (4, "mine:x_below_n"), (None, "least 6"),
    ]  # fmt: skip


def test_a_column_that_does_not_exist_is_named(dataset):
    result = validate_dataset(dataset, expect(z=ColumnExpectation(kind="int")))

    assert result.examples == [CellFailure("z", None, "", "present")]


def test_of_many_failing_cells_the_first_are_kept_and_all_are_counted(tmp_path):
    with Catalogue(tmp_path).create("many") as staged:
        staged.write_table(pa.table({"x": [0.0] * 1000}))
        many = staged.commit(Description(Provenance(operation="ingest", source="here")))

    result = validate_dataset(many, expect(x=ColumnExpectation(low=1)))

    assert result.counts == {("x", "low 1"): 1000}
    assert len(result.examples) == validation.MAX_EXAMPLES


@pytest.mark.parametrize(
    ("value", "kind", "is_right"),
    [
        (3.0, "int", True), (3.5, "int", False), (True, "float", True), (1, "bool", False),
        ("1", "float", False), (math.inf, "float", False), ("a", "string", True),
        (2**70, "int", False), ("2026-01-02", "timestamp", True), ("soon", "timestamp", False),
        ([1], "float", False), ({"a": 1}, "other", True),
    ],
)  # fmt: skip
def test_a_value_of_a_stream_is_judged_as_in_a_request(value, kind, is_right):
    validator = Validator(expect(x=ColumnExpectation(kind=kind, low=None)))

    found = validator.check_rows([{"x": value}, {"x": value, "y": "more"}], first=10)

    assert found == (
        []
        if is_right
        else [CellFailure("x", row, str(value)[:100], f"kind {kind}") for row in (10, 11)]
    )


def test_bounds_do_not_stumble_over_texts():
    validator = Validator(expect(x=ColumnExpectation(kind="float", low=0)))

    found = validator.check_rows([{"x": "no number"}, {"x": -1}, {}])

    assert [(one.row, one.rule) for one in found] == [
        (0, "kind float"), (1, "low 0"), (2, "missing"),
    ]  # fmt: skip


def test_a_schema_says_what_is_expected():
    schema = InputSchema(
        features=(
            Feature(name="x", kind="float", low=-1, high=1, missing=True, dtype="float16"),
            Feature(name="n", kind="int", dtype="int8"),
        )
    )

    found = Expectations.of_schema(schema).columns

    assert found["x"] == ColumnExpectation(kind="float", missing=True, low=-1, high=1)
    assert found["n"] == ColumnExpectation(kind="int", low=-128, high=127)


def test_written_expectations_are_read_and_fulfilled(dataset, tmp_path):
    path = tmp_path / "things.toml"
    path.write_text(to_toml(expectations_of(dataset)))

    found = read_expectations(path)

    assert found.columns["place"].values == ["", "EWR", "JFK", "LGA"]
    assert found.columns["n"] == ColumnExpectation(kind="int", missing=True)
    assert validate_dataset(dataset, found).is_valid


def test_odd_names_and_texts_survive_toml(tmp_path):
    column = ColumnExpectation(values=['"', "\\", "\n", "ö", 1, True], pattern=r"\d+")
    path = tmp_path / "odd.toml"
    path.write_text(to_toml({'a "b".c': column}))

    assert read_expectations(path).columns == {'a "b".c': column}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[columns.x]\nkind = 'number'", "columns.x.kind"),
        ("[columns.x]\nlows = 1", "columns.x.lows"),
        ("[columns.x]\npattern = '('", "no regular expression"),
        ("[columns.x]\nchecks = ['even']", "columns.x.checks"),
        ("x", "Expected '='"),
    ],
)
def test_expectations_with_faults_are_refused_with_the_place(text, reason, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(text)

    with pytest.raises(ExpectationsInvalid, match=reason):
        read_expectations(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mine:nothing", "nothing"), ("nowhere:even", "nowhere"), ("mine:NUMBER", "no function"),
        ("mine:broken", "the check itself fails: RuntimeError: no idea"),
    ],
)  # fmt: skip
def test_a_check_that_does_not_work_is_named(name, reason, folder):
    expectations = expect(folder, x=ColumnExpectation(checks=[name]))

    with pytest.raises(ExpectationsInvalid, match=reason):
        Validator(expectations).check_rows([{"x": 1}])
