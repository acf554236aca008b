"""The layout of tables in terminals of any width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from modstream.report.text_table import (
    EMPTY_CELLS,
    GAP,
    LONGEST_WORD,
    TableColumn,
    fit_columns,
    fold,
    render_table,
)


def numbers(name, *values):
    return TableColumn(name, tuple(f"{value:,}" for value in values), is_numeric=True)


def texts(name, *values):
    return TableColumn(name, values)


def printed(columns, width, **options):
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(render_table(fit_columns(columns, width, **options)))
    return capture.get()


COLUMNS = (
    texts("cause", "not_json", "missing_feature"),
    texts("stage", "VALUE_CONVERTER", "TRANSFORMATION"),
    numbers("letters", 12_745, 3),
    numbers("foreign", 0, 0),
    numbers("due", 3, 12_000_000),
    texts("last", "2026-11-24 17:30:12", "2026-11-25 07:30:12"),
)


def test_empty_columns_are_dropped_first_then_the_named_ones_then_those_on_the_right():
    dropped = [fit_columns(COLUMNS, width, ("stage",)).hidden for width in (100, 80, 65, 45)]

    assert dropped == [(), ("foreign",), ("stage", "foreign"), ("stage", "foreign", "last")]


def test_the_first_column_is_never_dropped():
    assert [one.name for one in fit_columns(COLUMNS, 5).columns] == ["cause"]


def test_columns_whose_zeros_count_are_dropped_last_if_asked_for():
    layout = fit_columns(COLUMNS, 62, ("stage",), drops_empty=False)

    assert layout.hidden == ("stage", "last")


def test_a_wide_terminal_shows_every_cell_on_one_line():
    assert len(printed(COLUMNS, 100).splitlines()) == 4


def test_long_words_are_folded_behind_a_separator():
    assert fold("features.some_long_name.wrong_type", 24) == "features.some_long_name. wrong_type"
    assert fold("short words stay", 24) == "short words stay"


def test_numbers_are_not_folded_at_their_sign_or_their_point():
    folded = fold('{"distance":-74275.6284319323,"hour":206.59028434548077}', 30)

    assert folded.split(" ") == ['{"distance":-74275.6284319323,', '"hour":206.59028434548077}']


def test_a_number_in_a_name_keeps_its_point():
    assert TableColumn("p99_9", ()).header == "p99.9"
    assert TableColumn("max_delay_ms", ()).header == "max delay ms"


@given(
    columns=st.lists(
        st.tuples(
            st.text("ab", min_size=1, max_size=9),
            st.booleans(),
            st.lists(st.integers(0, 10**12), min_size=2, max_size=2),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda column: column[0],
    ),
    width=st.integers(40, 120),
)
def test_no_figure_is_cut_and_no_line_is_too_long(columns, width):
    made = [
        numbers(name, *values) if is_numeric else texts(name, *(f"n-{v} " * 3 for v in values))
        for name, is_numeric, values in columns
    ]

    layout = fit_columns(made, width)
    lines = printed(made, width).splitlines()

    assert max(map(len, lines)) <= width
    assert sum(layout.widths) + GAP * (len(layout.widths) - 1) <= width
    words = {word for line in lines for word in line.split()}
    assert {cell for one in layout.columns if one.is_numeric for cell in one.cells} <= words


@pytest.mark.parametrize("cell", sorted(EMPTY_CELLS))
def test_a_column_of_zeros_or_of_nothing_says_least(cell):
    assert TableColumn("name", (cell, cell)).is_empty
    assert not TableColumn("name", (cell, "1")).is_empty


def test_a_word_of_moderate_length_is_kept_whole():
    name = "x" * LONGEST_WORD

    assert name in printed((texts("name", name), texts("text", "words " * 40)), 60)
