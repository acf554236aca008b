"""A table of a stream: it fits the terminal, drops columns by importance, and cuts nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.cli.stream_table import StreamTable

COLUMNS = ("id", "model", "age", "output")
PRIORITY = ("id", "output", "model", "age")
ROW = {"id": "9f3c1a52-1", "model": "flights", "age": "3 s", "output": "late (0.9)"}


def table(width):
    return StreamTable(COLUMNS, PRIORITY, width)


def test_rows_are_aligned_under_their_header():
    assert list(table(80).lines([ROW, ROW | {"id": "x", "age": "12 min"}])) == [
        "id          model    age     output",
        "9f3c1a52-1  flights  3 s     late (0.9)",
        "x           flights  12 min  late (0.9)",
    ]


@pytest.mark.parametrize(
    ("width", "header"),
    [
        (36, "id          model    age  output"),
        (35, "id          model    output"),
        (22, "id          output"),
        (21, "id"),
        (5, "id"),
    ],
)
def test_the_least_important_columns_are_dropped(width, header):
    assert next(table(width).lines([ROW])) == header


def test_the_header_is_repeated_when_a_column_becomes_wider_or_appears():
    stream = table(80)

    first = list(stream.lines([{"id": "a", "output": "1"}]))
    same = list(stream.lines([{"id": "b", "output": "2"}]))
    wider = list(stream.lines([{"id": "long-id", "output": "3"}]))
    more = list(stream.lines([ROW]))

    assert first == ["id  output", "a   1"]
    assert same == ["b   2"]
    assert wider[0] == "id       output"
    assert more[0] == "id          model    age  output"


def test_a_long_text_goes_on_below_its_column():
    stream = table(45)
    text = "refused: feature 'x0' must be float, not string (wrong_type)"

    lines = list(stream.lines([{"id": "r-1", "age": "3 s", "output": text}]))

    assert lines == [
        "id   age  output",
        "r-1  3 s  refused: feature 'x0' must be",
        "          float, not string (wrong_type)",
    ]


WORDS = st.text(alphabet="ab1.:", min_size=1, max_size=12)
CELLS = st.fixed_dictionaries(
    {"id": WORDS}, optional={"model": WORDS, "age": WORDS, "output": st.lists(WORDS).map(" ".join)}
)


@given(batches=st.lists(st.lists(CELLS, max_size=4)), width=st.integers(45, 100))
def test_no_line_is_wider_than_the_terminal_and_every_id_and_output_is_whole(batches, width):
    stream = table(width)
    for rows in batches:
        lines = list(stream.lines(rows))
        assert all(len(line) <= width for line in lines)
        words = " ".join(lines).split()
        for row in rows:
            assert all(word in words for word in f"{row['id']} {row.get('output', '')}".split())


def test_without_rows_there_is_no_line():
    assert list(table(80).lines([])) == []
