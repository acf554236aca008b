"""Rows of every source, with their keys, the same at every reading."""

import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table
from sqlalchemy import create_engine, text

from modstream.cli.precompute_source import FileRows, without_password
from modstream.cli.row_values import RowParser
from modstream.errors import UnusableSource
from modstream.models.schema.input_schema import Feature
from modstream.operations.precompute.parquet_rows import read_parquet
from modstream.operations.precompute.request_encoder import row_encoder
from modstream.operations.precompute.source_rows import (
    SourceRow,
    copy_rows,
    file_fingerprint,
    key_text,
    read_copy,
    with_key,
)
from modstream.operations.precompute.sql_rows import read_sql, split_source
from tests.processors.small_fixtures import make_card

FEATURES = [Feature(name="x", kind="float"), Feature(name="n", kind="int")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("UA 1", "UA 1"),
        (17, "17"),
        (True, "true"),
        (date(2026, 1, 2), "2026-01-02"),
        (None, None),
        ("", None),
        (float("nan"), None),
    ],
)
def test_a_value_becomes_the_text_of_a_key(value, text):
    assert key_text(value) == text


def test_the_rows_of_a_parquet_file_have_the_types_of_the_file(tmp_path):
    path = tmp_path / "rows.parquet"
    write_table(pa.table({"id": ["a", "b"], "x": [1.5, None], "n": [1, 2]}), path)

    assert list(with_key(read_parquet(path), "id")) == [
        ("a", {"id": "a", "x": 1.5, "n": 1}),
        ("b", {"id": "b", "x": None, "n": 2}),
    ]


def test_a_parquet_file_of_many_batches_is_read_to_its_end(tmp_path):
    path = tmp_path / "rows.parquet"
    write_table(pa.table({"n": list(range(12_345))}), path)

    assert [row["n"] for row in read_parquet(path)] == list(range(12_345))


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"no parquet at all")

    with pytest.raises(UnusableSource, match=r"rows\.parquet cannot be read"):
        list(read_parquet(path))


def test_the_key_of_a_row_of_csv_stays_a_text(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("id,x,city\n007,1,4\n008,2,5\n")

    found = list(FileRows(str(path), "id", RowParser(make_card())).open())

    assert found == [
        ("007", {"id": "007", "x": 1.0, "city": "4"}),
        ("008", {"id": "008", "x": 2.0, "city": "5"}),
    ]


def test_a_query_is_read_by_name(tmp_path):
    url = f"sqlite:///{tmp_path}/rows.db"
    with create_engine(url).begin() as connection:
        connection.execute(text("CREATE TABLE t (id TEXT, x REAL)"))
        connection.execute(text("INSERT INTO t VALUES ('a', 1.5), ('b', NULL)"))

    assert list(read_sql(url, "SELECT * FROM t ORDER BY id")) == [
        {"id": "a", "x": 1.5},
        {"id": "b", "x": None},
    ]
    with pytest.raises(UnusableSource, match="no such table: missing"):
        list(read_sql(url, "SELECT * FROM missing"))
    with pytest.raises(UnusableSource, match="its driver is not installed"):
        list(read_sql("mysql+mysqldb://user:secret@host/db", "SELECT 1"))


@pytest.mark.real
def test_a_query_of_postgresql_is_read_page_by_page(postgres_url):
    query = "SELECT n::text AS id, n / 2.0 AS x, now() AS at FROM generate_series(1, 5001) AS n"

    rows = list(read_sql(postgres_url, query))

    assert (len(rows), rows[-1]["id"], float(rows[-1]["x"])) == (5001, "5001", 2500.5)


def test_a_source_without_a_query_says_how_one_is_written():
    with pytest.raises(UnusableSource, match="write the query behind a #"):
        split_source("postgresql://me:secret@host/db")
    assert split_source("sqlite:///a.db#SELECT '#'") == ("sqlite:///a.db", "SELECT '#'")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rows.csv", "rows.csv"),
        ("topic:rows", "topic:rows"),
        ("sql:postgresql://me:pw@h/db#SELECT 1", "sql:postgresql://me@h/db#SELECT 1"),
        ("sql:postgresql://h/db#SELECT '@'", "sql:postgresql://h/db#SELECT '@'"),
        ("sql:sqlite:///a.db#SELECT 1", "sql:sqlite:///a.db#SELECT 1"),
    ],
)
def test_a_source_is_shown_without_a_password(source, shown):
    assert without_password(source) == shown


def test_a_copy_yields_the_rows_that_were_written(tmp_path):
    rows = [SourceRow("a", {"x": 1.5, "city": "Zürich"}), SourceRow(None, {"x": None})]
    path = tmp_path / "run" / "rows.jsonl"

    assert copy_rows(iter(rows), path) == 2
    assert list(read_copy(path)) == rows


def test_a_copy_that_fails_leaves_no_file(tmp_path):
    path = tmp_path / "rows.jsonl"

    with pytest.raises(ValueError, match="row 2: "):
        copy_rows([SourceRow("a", {}), SourceRow("b", {"x": object()})], path)

    assert not path.exists()


def test_the_fingerprint_of_a_file_changes_when_it_is_written_again(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a")
    before = file_fingerprint(path)
    path.write_text("b")

    assert file_fingerprint(path) != before


def test_a_request_has_the_features_of_the_model_in_the_types_of_json():
    make = row_encoder("m", "champion", FEATURES)
    row = {"id": "a", "x": Decimal("1.5"), "n": 3.0, "more": object()}

    assert json.loads(make("r1", row)) == {
        "id": "r1",
        "features": {"x": 1.5, "n": 3},
        "model": "m",
        "version": "champion",
    }
    assert json.loads(make("r1", {"x": float("nan"), "n": 2.5}))["features"] == {
        "x": None,
        "n": 2.5,
    }


@pytest.mark.parametrize("value", [object(), {1: object()}, "\ud800"])
def test_a_value_that_json_cannot_have_is_an_error(value):
    with pytest.raises(ValueError, match=r"."):
        row_encoder("m", 1, FEATURES)("r1", {"x": value})
