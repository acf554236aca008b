"""`modstream log`: what is printed of an exported log, and what is said where nothing can be."""

import csv
import json
import sys
from io import StringIO

import pytest
import structlog

from modstream.cli import main
from modstream.cli.inference_log import unique_names
from tests.modstream.operations.inference_log.log_records import export_all, log_record

GROUPED = "SELECT model, count(*) AS requests FROM inferences GROUP BY model"
LONG = "SELECT range AS number FROM range(3000)"


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run a command without servers; return its exit code, its output and its messages."""
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("MODSTREAM_STREAM", "s")
    monkeypatch.setenv("MODSTREAM_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("MODSTREAM_CONNECT_TIMEOUT", "0.2")
    monkeypatch.setenv("COLUMNS", "80")
    # A command configures the log of its process, which here is that of all tests.
    before = structlog.get_config()

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["modstream", "log", *arguments])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        return code, out, " ".join(err.split())

    yield call
    structlog.configure(**before)


@pytest.fixture
def exported(tmp_path):
    export_all(tmp_path / "inferences" / "s", [log_record(number) for number in range(3000)])


@pytest.mark.usefixtures("exported")
def test_rows_are_printed_as_table_csv_and_json(run):
    code, table, _ = run("query", GROUPED)
    _, comma_separated, _ = run("query", GROUPED, "--format", "csv")
    _, document, _ = run("query", GROUPED, "--format", "json")

    assert code == 0
    assert [line.split() for line in table.splitlines() if "online" in line] == [
        ["online", "3,000"]
    ]
    assert list(csv.DictReader(StringIO(comma_separated))) == [
        {"model": "online", "requests": "3000"}
    ]
    assert json.loads(document) == [{"model": "online", "requests": 3000}]


@pytest.mark.usefixtures("exported")
def test_a_table_is_bounded_and_the_other_formats_are_not(run):
    _, table, message = run("query", LONG)
    _, document, _ = run("query", LONG, "--format", "json")

    assert len(table.splitlines()) < 1_010
    assert "only the first 1,000 rows are shown" in message
    assert len(json.loads(document)) == 3000


@pytest.mark.usefixtures("exported")
def test_wide_rows_fit_80_columns_and_hidden_columns_are_named(run):
    _, table, message = run("query", "SELECT * FROM inferences LIMIT 3")

    assert max(map(len, table.splitlines())) <= 80
    assert "no room for" in message
    assert "log offset" in message


@pytest.mark.usefixtures("exported")
def test_no_rows_are_an_empty_array_and_a_message(run):
    nothing = "SELECT id FROM inferences WHERE false"

    assert json.loads(run("query", nothing, "--format", "json")[1]) == []
    assert run("query", nothing)[2] == "no rows"


@pytest.mark.usefixtures("exported")
def test_a_query_that_fails_exits_with_1_and_its_reason(run):
    code, _, message = run("query", "SELECT * FROM read_text('/etc/passwd')")

    assert code == 1
    assert message.startswith("modstream: the query failed: Permission Error")


@pytest.mark.usefixtures("exported")
def test_an_erasure_prints_its_files_and_what_remains(run):
    code, document, message = run("erase", "--key", "k3", "--id", "r4", "--json")
    _, _, again = run("erase", "--key", "k3")

    assert code == 0
    assert sum(one["removed"] for one in json.loads(document)) == 301
    assert "the records in s.inferences remain until they expire; no broker says" in message
    assert "no row of the exported log has these" in again


@pytest.mark.usefixtures("exported")
def test_expired_days_are_listed(run):
    _, document, _ = run("expire", "--before", "2023-11-16", "--json")

    assert {one["file"][:14] for one in json.loads(document)} == {
        "day=2023-11-14",
        "day=2023-11-15",
    }
    assert "no day before 2023-11-16" in run("expire", "--before", "2023-11-16")[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["erase"], "give at least one --key or --id"),
        (["expire", "--before", "2023-13-01"], "is not a date"),
        (["query", "SELECT 1", "--format", "xml"], "xml"),
    ],
)
def test_arguments_that_are_wrong_are_refused(run, arguments, message):
    code, _, printed = run(*arguments)

    assert code == 2
    assert message in printed


def test_an_export_without_a_broker_says_so(run):
    code, _, message = run("export")

    assert code == 1
    assert "127.0.0.1:1" in message


def test_repeated_names_of_columns_are_numbered():
    assert unique_names(["a", "b", "a", "a 2", "a"]) == ["a", "b", "a 2", "a 2 2", "a 3"]
