"""`modstream batch-predict` by a version from the folder of backups, without any server."""

import json
import sys

import pytest
from pyarrow import parquet

from modstream.cli import main
from modstream.models.examples.echo import make_echo
from modstream.models.registry.backup import ArtifactBackup
from modstream.models.schema.artifact import Artifact
from modstream.registry.backups import backup_folder
from modstream.settings import load_settings


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run the command; return its exit code, its output and its messages."""
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("MODSTREAM_REDIS", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    spec, content = make_echo("echo")
    ArtifactBackup(backup_folder(load_settings())).put(
        spec.make_card(1, Artifact(content)), Artifact(content)
    )

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["modstream", "batch-predict", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, " ".join(err.split())

    return call


ECHO = ("--model", "echo", "--version", "1", "--offline", "--to", "answers.parquet")


def test_a_table_is_predicted_without_any_server(run, tmp_path):
    (tmp_path / "rows.csv").write_text("id,hash\na,1\nb,2\n")

    code, out, _ = run("rows.csv", *ECHO, "--keep", "id", "--json")

    (facts,) = json.loads(out)
    assert (code, facts["rows"], facts["predicted"], facts["refused"]) == (0, 2, 2, {})
    found = parquet.read_table(tmp_path / "answers.parquet").to_pylist()
    assert [(row["id"], row["value"], row["version"]) for row in found] == [
        ("a", 1.0, 1),
        ("b", 2.0, 1),
    ]


def test_refused_rows_are_counted_and_exit_with_1(run, tmp_path):
    (tmp_path / "rows.csv").write_text("id,hash\na,1\nb,\n")

    code, out, err = run("rows.csv", *ECHO)

    assert code == 1
    assert "answers.parquet" in out
    assert "refused: 1 wrong_type" in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nothing.csv", *ECHO), "there is no such file"),
        (("rows.csv", *ECHO, "--keep", "version"), "have a column version of their own"),
        (("rows.csv", *ECHO, "--keep", "name"), "it has no column name"),
        (("rows.csv", *ECHO[:3], "7", *ECHO[4:]), "no backup"),
        (("rows.csv", "--model", "echo", "--to", "answers.parquet"), "no Redis answers"),
    ],
)
def test_what_cannot_be_predicted_is_refused_with_its_reason(run, tmp_path, arguments, reason):
    (tmp_path / "rows.csv").write_text("id,hash\na,1\n")

    code, _, err = run(*arguments)

    assert code != 0
    assert reason in err
    assert not (tmp_path / "answers.parquet").exists()


def test_without_the_libraries_the_extra_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setattr("modstream.cli.batch_predict.find_spec", lambda _name: None)

    code, _, err = run("rows.csv", *ECHO)

    assert code == 1
    assert "pip install 'modstream[batch]'" in err
