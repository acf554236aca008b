"""Texts in CSV files are no formulas, and numbers stay numbers."""

import csv
from io import StringIO

import pytest

from modstream.cli.backtest import write_rows
from modstream.cli.inference_log import print_csv
from modstream.operations.inference_log.log_query import QueryResult
from modstream.report.csv_cells import spreadsheet_cells

FORMULAS = [
    *("=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "+1+1", "-1-1", "-", "-2+3+cmd|x"),
    *("\t=1", "\r=1", "\n=1", "＝1", "+", "-1e5x"),  # noqa: RUF001
]
HARMLESS = ["", "a", "a=1", "'=1", " =1", "-1.5", "+3", "-.5e-7", "1.", "größe"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text):
    assert spreadsheet_cells([text]) == [f"'{text}"]


@pytest.mark.parametrize("value", [*HARMLESS, -1.5, -7, None, True, float("-inf")])
def test_other_values_stay_as_they_are(value):
    assert spreadsheet_cells([value]) == [value]


def test_the_rows_of_a_backtest_have_no_formula_in_csv_and_are_exact_in_json(tmp_path):
    rows = [{"id": "=1+1", "=name": -1.5}]

    write_rows(tmp_path / "a.csv", rows)
    write_rows(tmp_path / "a.jsonl", rows)

    with (tmp_path / "a.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["id", "'=name"], ["'=1+1", "-1.5"]]
    assert (tmp_path / "a.jsonl").read_text() == '{"id": "=1+1", "=name": -1.5}\n'


def test_the_result_of_a_query_has_no_formula(monkeypatch):
    sink = StringIO()
    monkeypatch.setattr("sys.stdout", sink)

    print_csv(QueryResult(("id", "@x"), iter([[("=1+1", -1.5)]])))

    assert list(csv.reader(StringIO(sink.getvalue()))) == [["id", "'@x"], ["'=1+1", "-1.5"]]
