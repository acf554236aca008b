"""Tables in files: what is read, what is written, and what is refused with which reason."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from modstream.batch_prediction.answer_file import write_answers
from modstream.batch_prediction.run import BatchPrediction
from modstream.batch_prediction.source_table import SourceTable
from modstream.batch_prediction.version_files import VersionFile, VersionFiles
from modstream.errors import LibraryMissing, UnusableSource
from modstream.models.errors import HashMismatch
from modstream.models.examples.echo import make_echo
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature, InputSchema

SCHEMA = InputSchema(
    features=(
        Feature(name="x", kind="float", missing=True),
        Feature(name="n", kind="int"),
        Feature(name="s", kind="string"),
        Feature(name="t", kind="string", missing=True),
        Feature(name="b", kind="bool"),
    )
)


@pytest.fixture
def echo():
    """The files of a version that returns its feature `hash`."""
    spec, content = make_echo("echo")
    card = spec.make_card(2, Artifact(content))
    return VersionFiles(VersionFile("echo", 2, card, content), (), (), "")


def rows_of(source, kept=(), batch_rows=None):
    return [row for batch in source.read(kept, batch_rows) for row in batch.to_pylist()]


def read_checked(source, kept):
    source.require(kept)
    return rows_of(source, kept)


def test_a_csv_file_is_read_with_the_kinds_of_the_features_and_texts_otherwise(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(
        'id,x,n,s,t,b\n007,1.5,3.0,,,true\n008,,9007199254740993,"a,b",t,no\n009,nan,3.5,c,d,yes\n'
    )

    found = rows_of(SourceTable(path, SCHEMA), ("id",))

    assert [row["id"] for row in found] == ["007", "008", "009"]
    assert [int(row["n"] * 2) for row in found] == [6, 2 * 9007199254740993, 7]
    assert [(row["x"], row["s"], row["t"], row["b"]) for row in found[:2]] == [
        (1.5, "", None, True),
        (None, "a,b", "t", False),
    ]


def test_a_folder_is_read_in_the_order_of_its_files_and_batches_are_bounded(tmp_path):
    for number in (2, 1):
        part = tmp_path / f"day={number}"
        part.mkdir()
        table = pa.table({"n": np.arange(5) + 10 * number, "s": ["a"] * 5, "b": [True] * 5})
        parquet.write_table(table, part / "rows.parquet")
    (tmp_path / "_staging").mkdir()
    (tmp_path / "_staging" / "half.parquet").write_bytes(b"no Parquet")
    source = SourceTable(tmp_path, SCHEMA)

    batches = list(source.read((), 3))

    values = [value for batch in batches for value in batch.column("n").to_pylist()]
    assert values == [10, 11, 12, 13, 14, 20, 21, 22, 23, 24]
    assert max(batch.num_rows for batch in batches) <= 3
    assert {value for batch in batches for value in batch.column("x").to_pylist()} == {None}
    assert source.count_rows() == 10


@pytest.mark.parametrize(
    ("name", "content", "kept", "reason"),
    [
        ("rows.csv", "x,s,b\n1,a,true\n", (), "it has no column n"),
        ("rows.csv", "n,s,b\n1,a,true\n", ("id",), "it has no column id"),
        ("rows.csv", "n,s,b\nmany,a,true\n", (), "many"),
        ("rows.parquet", "no Parquet", (), "Parquet"),
        ("rows.txt", "n,s,b\n", (), "give a Parquet or CSV file"),
        (None, "", (), "there is no such file"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_reason(
    tmp_path, name, content, kept, reason
):
    path = tmp_path / (name or "nothing.csv")
    if name:
        path.write_text(content)

    with pytest.raises(UnusableSource, match=reason):
        read_checked(SourceTable(path, SCHEMA), kept)


def test_the_answers_are_those_of_the_rows_and_refused_rows_are_counted(tmp_path, echo):
    path, target = tmp_path / "rows.csv", tmp_path / "answers.parquet"
    path.write_text("tail,hash\nN1,1\nN2,\nN3,3\n")
    counts = []

    report = BatchPrediction(SourceTable(path, echo.card.input_schema), echo, ("tail",)).run(
        target, counts.append
    )

    found = parquet.read_table(target).to_pylist()
    assert [(row["tail"], row["value"], row["error"]) for row in found] == [
        ("N1", 1.0, None), ("N2", None, "wrong_type"), ("N3", 3.0, None),
    ]  # fmt: skip
    assert {(row["model"], row["version"]) for row in found} == {("echo", 2)}
    assert (report.rows, report.predicted, report.refused) == (3, 2, {"wrong_type": 1})
    assert counts[-1] == 3


def test_an_empty_table_has_a_file_with_all_columns(tmp_path, echo):
    path, target = tmp_path / "rows.csv", tmp_path / "answers.parquet"
    path.write_text("tail,hash\n")

    report = BatchPrediction(SourceTable(path, echo.card.input_schema), echo).run(target)

    assert report.rows == 0
    assert parquet.read_schema(target).names == ["value", "model", "version", "error"]


def test_the_file_stays_as_it_was_until_the_last_row_is_written(tmp_path):
    target = tmp_path / "answers.parquet"
    target.write_text("before")
    table = pa.table({"value": [1.0], "error": pa.nulls(1, pa.string())})

    def answers():
        yield table
        assert target.read_text() == "before"
        raise UnusableSource("rows.csv", "the disk is gone")

    with pytest.raises(UnusableSource, match="the disk is gone"):
        write_answers(answers(), target)

    assert target.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["answers.parquet"]


def test_a_file_that_cannot_be_written_is_a_typed_error(tmp_path):
    table = pa.table({"value": [1.0], "error": pa.nulls(1, pa.string())})

    with pytest.raises(UnusableSource, match="it cannot be written"):
        write_answers([table], tmp_path / "nowhere" / "answers.parquet")


def test_a_damaged_artifact_is_not_loaded(tmp_path, echo):
    path = tmp_path / "rows.csv"
    path.write_text("hash\n1\n")
    damaged = VersionFiles(VersionFile("echo", 2, echo.card, b"damaged"), (), (), "")

    with pytest.raises(HashMismatch):
        BatchPrediction(SourceTable(path, echo.card.input_schema), damaged).run(tmp_path / "a")


def test_without_ray_the_extra_is_named(tmp_path, echo, monkeypatch):
    path = tmp_path / "rows.csv"
    path.write_text("hash\n1\n")
    monkeypatch.setattr("modstream.batch_prediction.run.find_spec", lambda _name: None)
    job = BatchPrediction(SourceTable(path, echo.card.input_schema), echo, engine="ray")

    with pytest.raises(LibraryMissing, match=r"modstream\[ray\]"):
        job.run(tmp_path / "answers.parquet")
