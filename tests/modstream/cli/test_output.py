"""Tables and JSON of the commands, in a terminal of 80 columns."""

import json

import pytest

from modstream.cli import output
from modstream.cli.output import format_cell, print_rows
from modstream.processors.redrive.selection import LetterGroup

LETTERS = LetterGroup(
    *("features.departure_delay.wrong_type", "VALUE_CONVERTER", "tenant-7.flights.requests"),
    *(12_745, 3, 12_000, 742, 0, 0),
    *("2026-11-24 17:30:12", "2026-11-28 07:30:12"),
)


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    for console in (output.stdout, output.stderr):
        monkeypatch.setattr(console, "_width", 80)


def test_a_wide_table_keeps_the_important_columns_and_names_the_others(capsys):
    drop = ("stage", "topic", "first")

    print_rows([LETTERS._asdict()], as_json=False, empty="", drop=drop)

    shown, noted = capsys.readouterr()
    assert max(map(len, shown.splitlines())) <= 80
    for figure in ("12,745", "3", "12,000", "742", "2026-11-28 07:30:12"):
        assert figure in shown
    assert noted.startswith("no room for stage, topic, foreign, unsendable, first:")
    assert "--json" in noted


def test_json_has_every_column(capsys):
    print_rows([LETTERS._asdict()], as_json=True, empty="")

    assert json.loads(capsys.readouterr().out) == [LETTERS._asdict()]


def test_the_names_of_left_out_columns_are_returned_for_tables_that_share_one_note(capsys):
    rows = [{f"column_{number}": "x" * 20 for number in range(5)}]

    hidden = print_rows(rows, as_json=False, empty="", is_noted=False)

    assert hidden == ("column 3", "column 4")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, "–"),
        (True, "yes"),
        (12745, "12,745"),
        (12745.3, "12,745"),
        (0.123456, "0.1235"),
        (1e20, "1e+20"),
        (float("nan"), "nan"),
        ("[red]\x1b[2J", r"[red]\x1b[2J"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_a_cell_shows_figures_in_full_and_steers_no_terminal(value, cell):
    assert format_cell(value) == cell


def test_markup_in_a_cell_is_printed_as_it_is(capsys):
    print_rows([{"name": "[red]x[/]"}], as_json=False, empty="", title="[bold]")

    shown = capsys.readouterr().out
    assert "[red]x[/]" in shown
    assert "[bold]" in shown
