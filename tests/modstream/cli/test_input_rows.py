"""Rows from files: CSV, JSON lines and JSON lists are told apart by their first character."""

import pytest

from modstream.cli.input_rows import read_rows
from modstream.errors import InvalidInputLine, InvalidValue


def rows(text, parse=dict):
    return list(read_rows(text.splitlines(keepends=True), parse))


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,x\n2,y\n",
        "\ufeffa;b\n1;x\n\n2;y\n",
        'a\tb\n1\t"x"\n2\ty\n',
        '\n\na,b\n1,"x"\n2,y',
    ],
)
def test_rows_of_csv_are_texts_by_column_whatever_the_delimiter(text):
    assert [row for _, row in rows(text)] == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": "x"}\n\n{"a": 2, "b": null}\n',
        '[{"a": 1, "b": "x"},\n {"a": 2, "b": null}]\n',
        '\ufeff\n[\n{"a": 1, "b": "x"}, {"a": 2, "b": null}\n]',
    ],
)
def test_rows_of_json_have_their_types(text):
    assert [row for _, row in rows(text)] == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def test_a_quoted_value_may_span_lines_and_the_lines_are_counted():
    assert rows('a,b\n1,"x\ny"\n2,z\n') == [(3, {"a": "1", "b": "x\ny"}), (4, {"a": "2", "b": "z"})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", "line 3 .* it has 3 values and the header has 2 columns"),
        ('{"a": 1}\n{"a": \n', "line 2 .* not JSON"),
        ('{"a": 1}\n[1]\n', "line 2 .* not a row of values by name"),
        ("[1]\n", "line 1 .* not a row of values by name"),
        ('{"a": "caf\udce9"}\n', "line 1 .* not UTF-8"),
        ("a\ncaf\udce9\n", "line 2 .* not UTF-8"),
        ('a\n"x\n', "line 2 "),
        ("[" * 200_000, "line 1 .* nested too deeply"),
    ],
)
def test_a_line_that_is_no_row_is_refused_with_its_number(text, message):
    with pytest.raises(InvalidInputLine, match=message):
        rows(text)


def test_the_rows_before_an_invalid_line_are_read():
    found = read_rows(['{"a": 1}\n', '{"a": 2}\n', "x\n"], dict)

    assert [next(found), next(found)] == [(1, {"a": 1}), (2, {"a": 2})]
    with pytest.raises(InvalidInputLine, match="line 3"):
        next(found)


def test_a_value_that_the_parser_refuses_names_the_line():
    def refuse(_texts):
        raise InvalidValue("x0 must be a number")

    with pytest.raises(InvalidInputLine, match=r"line 2 .*x0 must be a number"):
        rows("x0\nabc\n", refuse)


def test_an_empty_input_has_no_rows():
    assert rows("\n \n") == []
