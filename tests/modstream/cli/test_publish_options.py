"""The options that describe a model: features, classes, task, scores and sample rows."""

import math

import pytest
import typer

from modstream.cli.publish_options import (
    describe_model,
    parse_class_label,
    parse_classes,
    parse_feature,
)
from modstream.models.schema.input_schema import Feature


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hue:float", Feature(name="hue", kind="float")),
        ("horizon:int:1:12", Feature(name="horizon", kind="int", low=1, high=12)),
        ("age:float:missing", Feature(name="age", kind="float", missing=True)),
        ("age:float:0:99:missing", Feature(name="age", kind="float", low=0, high=99, missing=True)),
        ("pin:int:sensitive", Feature(name="pin", kind="int", sensitive=True)),
        (
            "age:float:0:99:missing:sensitive",
            Feature(name="age", kind="float", low=0, high=99, missing=True, sensitive=True),
        ),
        ("a:b:string", Feature(name="a:b", kind="string")),
        ("ratio:float:float", Feature(name="ratio:float", kind="float")),
        ('size (")\\\n:float', Feature(name='size (")\\\n', kind="float")),
        ("größe:float", Feature(name="größe", kind="float")),
    ],
)
def test_a_feature_is_parsed_with_its_kind_and_bounds(text, expected):
    assert parse_feature(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("hue", "hue:colour", ":float", "", ":", "horizon:int:few:many", "x:float:1"),
        *("x:int:missing", "x:bool:missing", "x:float:1:2:3", "x:float:absent"),
    ],
)
def test_an_invalid_feature_is_rejected(text):
    with pytest.raises(typer.BadParameter, match=f"^'{text}' is not NAME:KIND"):
        parse_feature(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("horizon:int:few:9", "LOW is 'few', which is no number"),
        ("horizon:int:1:many", "HIGH is 'many', which is no number"),
        ("x:bool:missing", "string: x: only a float or a string can be missing"),
    ],
)
def test_an_invalid_feature_is_rejected_with_the_part_that_is_wrong(text, reason):
    with pytest.raises(typer.BadParameter, match=reason):
        parse_feature(text)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        *(("1", 1), ("true", True), ("0.5", 0.5), ("red", "red"), ("[1]", "[1]"), ('"1"', "1")),
        *(("NaN", "NaN"), ("Infinity", "Infinity"), ("null", "null"), ("[" * 100_000,) * 2),
    ],
)
def test_a_class_label_is_a_json_scalar_or_the_text_itself(text, label):
    assert parse_class_label(text) == label
    assert type(parse_class_label(text)) is type(label)


@pytest.mark.parametrize("texts", [["1", "1"], ["1", "1.0"], ["a", '"a"']])
def test_the_same_class_twice_is_rejected(texts):
    with pytest.raises(typer.BadParameter, match="are the same label"):
        parse_classes(texts)


def test_the_number_and_the_word_are_different_classes():
    assert parse_classes(["1", '"1"']) == (1, "1")


def describe(task=None, scores=None, features=(), sample=None):
    return describe_model(task, scores, (), features, sample)


def test_the_options_become_a_description():
    found = describe("multioutput-regression", "NONE", ["x:float"])

    assert (found.task, found.scores) == ("multioutput_regression", "none")
    assert found.features == (Feature(name="x", kind="float"),)
    assert found.samples is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"task": "guess"}, "--task 'guess' is none of binary, multiclass"),
        ({"scores": "odds"}, "--scores 'odds' is none of probability, margin"),
        ({"features": ["x:int", "x:float"]}, "--feature 'x' is given twice"),
    ],
)
def test_an_unknown_choice_is_rejected(options, reason):
    with pytest.raises(typer.BadParameter, match=reason):
        describe(**options)


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_csv_file_has_typed_and_missing_values(tmp_path):
    text = "a,b,c,zip,größe\n1,0.5,true,01234,x\n2,,false,99999,\n"

    found = describe(features=["zip:string"], sample=write(tmp_path, "rows.csv", text))

    assert found.samples == [
        {"a": 1, "b": 0.5, "c": True, "zip": "01234", "größe": "x"},
        {"a": 2, "b": None, "c": False, "zip": "99999", "größe": None},
    ]
    assert [type(value) for value in found.samples[0].values()] == [int, float, bool, str, str]


def test_json_lines_are_rows_as_they_are(tmp_path):
    text = '{"a": 1, "b": null}\n\n{"a": 2.5, "b": "x"}\n'

    found = describe(sample=write(tmp_path, "rows.jsonl", text))

    assert found.samples == [{"a": 1, "b": None}, {"a": 2.5, "b": "x"}]


def test_at_most_a_thousand_rows_are_read(tmp_path):
    lines = "x\n" + "1\n" * 5000
    assert len(describe(sample=write(tmp_path, "rows.csv", lines)).samples) == 1000


def test_a_parquet_file_is_read_if_its_library_is_installed(tmp_path):
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "rows.parquet"
    try:
        pandas.DataFrame({"a": [1.0, math.nan], "b": ["x", None]}).to_parquet(path)
    except ImportError:
        path.write_bytes(b"PAR1")
        with pytest.raises(typer.BadParameter, match="needs the package pyarrow: install it"):
            describe(sample=path)
        return
    assert describe(sample=path).samples == [{"a": 1.0, "b": "x"}, {"a": None, "b": None}]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("rows.txt", "a", "rows.txt does not end in .csv"),
        ("rows.csv", "größe\n1\n".encode("latin-1"), r"rows.csv is not UTF-8 \(byte 2\)"),
        ("rows.jsonl", '{"größe": 1}\n'.encode("latin-1"), "rows.jsonl is not UTF-8"),
        ("rows.csv", "", "rows.csv cannot be read"),
        ("rows.csv", "a,b\n", "rows.csv has no rows"),
        ("rows.jsonl", "", "rows.jsonl has no rows"),
        ("rows.jsonl", '{"a": 1}\n[1]\n', "line 2 is not a JSON object"),
        ("rows.jsonl", '{"a": 1}\n{"a"\n', "line 2 is not a JSON object"),
        ("rows.jsonl", "[" * 100_000, "line 1 is not a JSON object"),
    ],
)
def test_a_sample_file_that_cannot_be_read_is_reported(tmp_path, name, content, reason):
    with pytest.raises(typer.BadParameter, match=reason):
        describe(sample=write(tmp_path, name, content))
