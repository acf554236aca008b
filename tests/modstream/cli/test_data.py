"""The commands of data sets: what they print, refuse and return."""

import json
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from modstream.cli.app import DATA, app
from modstream.datasets.errors import DataLibraryMissing
from modstream.datasets.parquet import load_library
from modstream.errors import StackError

pytestmark = pytest.mark.slow

SCHEMA = {
    "features": [
        {"name": "x", "kind": "float", "low": 0, "high": 10},
        {"name": "group", "kind": "string"},
        {"name": "late", "kind": "bool"},
    ]
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command in an empty folder; returns its exit status and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path / "home"))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))

    def call(*arguments):
        result = CliRunner().invoke(app, ["data", *arguments])
        if isinstance(result.exception, StackError):
            return 1, str(result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.output

    return call


@pytest.fixture
def made(run):
    """A data set of 300 random rows."""
    options = ("--from-schema", "schema.json", "--rows", "300", "--label", "late")
    assert run("ingest", "things", *options)[0] == 0


def test_what_was_ingested_is_listed_and_shown(run, made):
    status, output = run("list", "--json")
    (row,) = json.loads(output)

    assert (status, row["name"], row["rows"], row["label"]) == (0, "things", 300, "late")
    shown = json.loads(run("show", "things", "--json")[1])
    assert shown["provenance"]["details"]["schema"]["features"][0]["name"] == "x"
    assert "things@1" in run("show", "things")[1]


def test_an_empty_catalogue_says_how_to_fill_it(run):
    status, output = run("list")

    assert status == 0
    assert "`modstream data ingest` adds one" in output


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("ingest", "a"), 2, "either --from or --from-schema"),
        (("ingest", "a/b", "--from", "x.csv"), 2, "cannot be the name of a data set"),
        (("ingest", "a", "--from", "x.csv"), 1, "there is no such file"),
        (("ingest", "a", "--from", "x.csv", "--kind", "x"), 2, "COLUMN:KIND"),
        (("ingest", "a", "--from", "x.json", "--null", "NA"), 2, "files of CSV only"),
        (("ingest", "a", "--from-schema", "x.json"), 1, "No such file"),
        (("show", "thing"), 1, "unknown data set thing: did you mean things?"),
        (("show", "things@7"), 1, "unknown version of things 7"),
        (("split", "things", "--test", "200%"), 2, "is no share"),
        (("split", "things"), 1, "it has no time column"),
        (("validate", "things"), 2, "either --expect or --schema"),
        (("wrangle", "things", "--steps", "none.toml"), 1, "No such file"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(run, made, arguments, status, reason):
    found, output = run(*arguments)

    assert found == status
    assert reason in " ".join(re.sub("[│╭╮╰╯─]", " ", output).split())


def test_a_test_set_is_split_off_and_opened(run, made):
    assert run("split", "things", "--by", "group", "--column", "group", "--test", "30%")[0] == 0

    assert "sealed test set" in run("explore", "things-test")[1]
    status, output = run("open", "things-test", "--reason", "at last")
    assert status == 0
    assert "part-0.parquet" in output
    openings = json.loads(run("show", "things-test", "--json")[1])["openings"]
    assert [one["reason"] for one in openings] == ["at last"]


def test_a_page_and_a_verdict_are_written(run, made, tmp_path):
    assert run("explore", "things", "-o", "things.html")[0] == 0
    assert run("validate", "things", "--schema", "schema.json", "-o", "valid.html")[0] == 0
    assert "VALID" in (tmp_path / "valid.html").read_text()

    (tmp_path / "strict.toml").write_text("[columns.x]\nhigh = 5\n")
    status, output = run("validate", "things", "--expect", "strict.toml", "-o", "bad.html")

    assert status == 1
    assert "high 5" in output
    assert "NOT VALID" in (tmp_path / "bad.html").read_text()
    assert "<svg" in (tmp_path / "things.html").read_text()


def test_steps_make_a_new_data_set(run, made, tmp_path):
    (tmp_path / "steps.toml").write_text("[[step]]\nfilter = 'x > 5'\n")

    status, output = run("wrangle", "things", "--steps", "steps.toml", "--json")

    row = json.loads(output)
    assert (status, row["name"], row["from"]) == (0, "things-wrangled", "things@1")
    assert 0 < row["rows"] < 300


@pytest.mark.parametrize("library", ["duckdb", "pandera.pandas", "pyarrow", "skrub"])
def test_a_missing_library_is_named_with_the_extra(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(DataLibraryMissing, match=r"pip install 'modstream\[data\]'"):
        load_library(library)


def test_the_commands_are_imported_without_the_libraries():
    libraries = ("duckdb", "pandera", "pyarrow", "skrub", "mlcroissant", "sqlalchemy")
    modules = sorted({command.target.partition(":")[0] for command in DATA.values()})
    program = (
        f"import sys, importlib; sys.modules.update(dict.fromkeys({libraries}));"
        f" [importlib.import_module(name) for name in {modules}]"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()
