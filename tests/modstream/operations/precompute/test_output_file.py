"""The answers of a run as a Parquet file: one line for each row, outputs in columns."""

import pytest
from pyarrow.parquet import ParquetFile, read_table

from modstream.errors import UnusableSource
from modstream.operations.precompute.output_file import FileRow, OutputKinds, write_parquet


def line(row, outputs, error=None):
    return FileRow((row, f"k{row}", f"run.{row}", "m", None if error else 1, error), outputs)


def write(tmp_path, *lines):
    path = tmp_path / "answers.parquet"
    assert write_parquet(lambda: iter(lines), path) == len(lines)
    return read_table(path).to_pylist()


def test_outputs_are_columns_of_their_types(tmp_path):
    outputs = {"label": True, "n": 3, "score": 0.5, "name": "x"}

    (found,) = write(tmp_path, line(1, outputs))

    assert found == {
        "row": 1,
        "key": "k1",
        "id": "run.1",
        "model": "m",
        "version": 1,
        "error": None,
        **outputs,
    }


def test_a_refused_row_has_its_code_and_no_outputs(tmp_path):
    found = write(tmp_path, line(1, {"score": 0.5}), line(2, {}, error="wrong_type"))

    assert (found[1]["error"], found[1]["version"], found[1]["score"]) == ("wrong_type", None, None)


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        ([1, 0.5], [1.0, 0.5]),
        ([1, "a"], ["1", '"a"']),
        ([True, 1], ["true", "1"]),
        ([[1, 2], {"a": 1}], ["[1, 2]", '{"a": 1}']),
        ([None, 2], [None, 2]),
        ([None, None], [None, None]),
        ([1, "a", 2], ["1", '"a"', "2"]),
    ],
)
def test_an_output_of_several_types_keeps_every_value(tmp_path, values, cells):
    lines = [line(number, {"y": value}) for number, value in enumerate(values)]

    assert [row["y"] for row in write(tmp_path, *lines)] == cells


def test_an_output_is_told_apart_from_the_columns_of_the_file(tmp_path):
    (found,) = write(tmp_path, line(7, {"row": 0.25}))

    assert (found["row"], found["output.row"]) == (7, 0.25)


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "answers.parquet"
    write(tmp_path, line(1, {"y": 1}))

    def failing():
        yield line(1, {"y": 1})
        raise UnusableSource("x", "it ends early")

    with pytest.raises(UnusableSource):
        write_parquet(failing, path)

    assert ParquetFile(path).metadata.num_rows == 1


def test_kinds_do_not_depend_on_the_order_of_the_values():
    one, other = OutputKinds(), OutputKinds()
    for value in (1, 0.5, "a"):
        one.add({"y": value})
    for value in ("a", 0.5, 1):
        other.add({"y": value})

    assert one.kinds == other.kinds == {"y": "json"}
