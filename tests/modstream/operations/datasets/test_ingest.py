"""Files, queries and schemas as data sets."""

import gzip
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from modstream.broker.client.connection import Connection
from modstream.datasets.catalogue import Catalogue
from modstream.datasets.errors import NotEnoughSpace, SourceUnusable
from modstream.models.schema.feature import Feature
from modstream.models.schema.input_schema import InputSchema
from modstream.operations.datasets import ingest_file, space
from modstream.operations.datasets.csv_form import CsvOptions
from modstream.operations.datasets.ingest import IngestSpec, ingest, ingest_synthetic

ROWS = [
    {
        "name": "a",
        "size": 1,
        "price": 1.5,
        "day": datetime(2026, 1, 2, 3, tzinfo=UTC),
        "tags": ["x"],
    },
    {"name": None, "size": None, "price": 2.0, "day": None, "tags": []},
    {"name": "ö", "size": 3, "price": None, "day": datetime(2026, 1, 3, tzinfo=UTC), "tags": None},
]
NO_BROKER = Connection("localhost:1", {})
KINDS = {"name": "string", "size": "int", "price": "float", "day": "timestamp", "tags": "string"}


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path / "data")


def take(catalogue, source, estimates=None, **options):
    spec = IngestSpec("things", str(source), str(source), **options)
    notify = (lambda _: None) if estimates is None else estimates.append
    return ingest(catalogue, spec, NO_BROKER, notify)


def write(folder, suffix):
    path = folder / f"rows{suffix}"
    texts = [{**row, "day": row["day"].isoformat() if row["day"] else None} for row in ROWS]
    match suffix:
        case ".csv":
            lines = ["name,size,price,day,tags"]
            for row in texts:
                cells = [row["name"], row["size"], row["price"], row["day"]]
                tags = (
                    "" if row["tags"] is None else '"' + str(row["tags"]).replace("'", '""') + '"'
                )
                lines.append(",".join(["" if one is None else str(one) for one in cells] + [tags]))
            path.write_text("\n".join(lines) + "\n")
        case ".json":
            path.write_text(json.dumps(texts))
        case ".jsonl":
            path.write_text("\n".join(map(json.dumps, texts)))
        case ".jsonl.gz":
            path.write_bytes(gzip.compress("\n".join(map(json.dumps, texts)).encode()))
        case ".parquet":
            parquet.write_table(pa.Table.from_pylist(ROWS), path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".jsonl.gz", ".parquet"])
def test_every_form_of_a_file_gives_the_same_rows(suffix, catalogue, tmp_path):
    path = write(tmp_path, suffix)
    original, estimates = path.read_bytes(), []

    made = take(catalogue, path, estimates)

    assert {column.name: column.kind for column in made.columns} == KINDS
    assert {column.name: column.missing for column in made.columns} == {
        "name": 1, "size": 1, "price": 1, "day": 1, "tags": 1,
    }  # fmt: skip
    rows = made.read_table().to_pylist()
    assert [row["name"] for row in rows] == ["a", None, "ö"]
    assert [row["size"] for row in rows] == [1, None, 3]
    assert [row["price"] for row in rows] == [1.5, 2.0, None]
    assert [row["day"] and row["day"].replace(tzinfo=UTC) for row in rows] == [
        row["day"] for row in ROWS
    ]
    assert rows[0]["tags"] == '["x"]'
    assert path.read_bytes() == original
    assert made.facts.provenance.source_sha256 == ingest_file.hash_file(path)
    assert [estimate.rows for estimate in estimates] == [3]


def test_the_types_of_a_text_are_those_of_all_rows(catalogue, tmp_path):
    path = tmp_path / "late.csv"
    path.write_text("x\n" + "1\n" * 30_000 + "1.5\n")

    made = take(catalogue, path)

    assert made.columns[0].kind == "float"
    assert made.rows == 30_001
    assert made.read_table().column("x")[-1].as_py() == 1.5


def test_the_options_of_csv_say_what_the_text_does_not(catalogue, tmp_path):
    path = tmp_path / "zip.csv"
    path.write_text("zip,n\n00123,1\n99999,NA\n")

    made = take(catalogue, path, csv=CsvOptions({"zip": "string"}, ("NA",)))

    assert made.read_table().to_pylist() == [{"zip": "00123", "n": 1}, {"zip": "99999", "n": None}]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("broken.csv", b"a,b\n1,2\n1,2,3\n", "line 3 has 3 values, and the header has 2 columns"),
        ("short.csv", b"a,b\n1,2\n1\n", "line 3 has 1 values, and the header has 2 columns"),
        ("latin.csv", b"a,b\n1,2\n1,\xe9\n", "line 3 is not UTF-8"),
        ("twice.csv", b"a,a\n1,2\n", "two columns are called 'a' and 'a'"),
        ("case.csv", b"a,A\n1,2\n", "two columns are called 'a' and 'A'"),
        ("case.jsonl", b'{"a": 1, "A": 2}\n', "two columns are called"),
        ("broken.json", b'{"a": 1', "Malformed JSON"),
        ("list.jsonl", b"[1, 2]\n", "JSON"),
        ("rows.parquet", b"PAR1", "smaller than the minimum"),
        ("empty.jsonl", b"", "it has no rows"),
        ("rows.xlsx", b"", "its suffix must be one of"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    name, content, reason, catalogue, tmp_path
):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(SourceUnusable) as refusal:
        take(catalogue, path)

    assert reason in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert catalogue.names() == []
    assert list((tmp_path / "data").glob("_staging/*")) == []


def test_a_file_that_changes_while_it_is_read_is_refused(catalogue, tmp_path, monkeypatch):
    path = write(tmp_path, ".csv")
    copy = ingest_file.copy_relation

    def copy_and_change(*arguments):
        copy(*arguments)
        path.write_text("name\nb\n")

    monkeypatch.setattr(ingest_file, "copy_relation", copy_and_change)

    with pytest.raises(SourceUnusable, match="changed while it was read"):
        take(catalogue, path)

    assert catalogue.names() == []


def test_the_rows_of_a_query_are_ingested(catalogue, tmp_path):
    database = tmp_path / "rows.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE things (n INTEGER, name TEXT)")
        connection.executemany("INSERT INTO things VALUES (?, ?)", [(1, "a"), (2, None), (3, "c")])
    connection.close()
    estimates = []

    query = "SELECT * FROM things WHERE n > 1"
    made = take(catalogue, f"sql:sqlite:///{database}#{query}", estimates)

    assert made.read_table().to_pylist() == [{"n": 2, "name": None}, {"n": 3, "name": "c"}]
    assert made.facts.provenance.details == {"query": query}
    assert estimates[0].rows == 2


def test_a_full_disk_is_refused_before_anything_is_written(catalogue, tmp_path, monkeypatch):
    path = write(tmp_path, ".parquet")
    monkeypatch.setattr(ingest_file, "free_space", lambda _: 1_000)

    with pytest.raises(NotEnoughSpace, match=r"0 MB free.*MODSTREAM_DATA_DIR"):
        take(catalogue, path)

    assert catalogue.names() == []


def test_the_estimate_is_near_the_size(catalogue, tmp_path):
    path, estimates = tmp_path / "many.jsonl", []
    rows = ({"n": number, "text": f"value {number * 7919 % 1000}"} for number in range(60_000))
    path.write_text("\n".join(map(json.dumps, rows)))

    made = take(catalogue, path, estimates)

    size = sum(file.size for file in made.facts.files)
    assert size / 2 < estimates[0].size < size * 2
    assert estimates[0].rows == pytest.approx(60_000, rel=0.2)
    assert estimates[0].free == pytest.approx(space.free_space(tmp_path), rel=0.5)


def test_random_rows_fit_the_schema_they_were_made_from(catalogue):
    schema = InputSchema(
        features=(
            Feature(name="x", kind="float", low=-1, high=2, missing=True),
            Feature(name="n", kind="int", low=1, high=3),
            Feature(name="word", kind="string"),
            Feature(name="flag", kind="bool"),
        )
    )
    spec = IngestSpec("made", "", "schema.json")

    made = ingest_synthetic(catalogue, spec, schema, 500, seed=1)
    again = ingest_synthetic(catalogue, spec, schema, 500, seed=1)

    rows = made.read_table().to_pylist()
    assert len(schema.parse_rows(rows).valid_positions) == 500
    assert {row["n"] for row in rows} == {1, 2, 3}
    assert 0 < made.columns[0].missing < 100
    assert again.version == 2
    assert again.sha256 == made.sha256


def test_a_file_that_is_not_there_is_named(catalogue):
    with pytest.raises(SourceUnusable, match="there is no such file"):
        take(catalogue, Path("nowhere.csv"))
