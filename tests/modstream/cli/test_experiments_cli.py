"""`modstream experiments` and the options of `modstream train` about tables."""

import json

import pytest
from typer.testing import CliRunner

from modstream.cli.app import app
from modstream.experiments.journal import Journal
from tests.modstream.experiments.test_journal import experiment


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    journal = Journal(tmp_path)
    journal.append(experiment("aaaa1111"))
    journal.append(experiment("bbbb2222", auc=0.8, trials=5))
    return lambda *arguments: CliRunner().invoke(app, ["experiments", *arguments])


def test_the_newest_experiment_is_listed_first(run):
    found = json.loads(run("list", "--json").stdout)

    assert [one["id"] for one in found] == ["bbbb2222", "aaaa1111"]
    assert json.loads(run("list", "--model", "other", "--json").stdout) == []
    assert "bbbb2222" in run("list").stdout


def test_an_experiment_is_shown_with_its_trials_and_settings(run):
    shown = run("show", "aaaa").stdout

    assert all(part in shown for part in ("aaaa1111", "rows.csv", "trials", "Settings"))
    assert json.loads(run("show", "aaaa1111", "--json").stdout)["metrics"] == {"auc": 0.7}


def test_experiments_are_compared(run):
    rows = json.loads(run("compare", "aaaa1111", "bbbb2222", "--json").stdout)

    assert {"": "auc", "aaaa1111": 0.7, "bbbb2222": 0.8} in rows


def test_one_experiment_is_not_compared(run):
    found = run("compare", "aaaa1111")

    assert found.exit_code == 2
    assert "two experiments" in found.output


def test_without_an_address_of_mlflow_nothing_is_sent(run, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    found = run("sync")

    assert found.exit_code != 0
    assert "mlflow.tracking_uri" in found.output + str(found.exception)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--join"], "--study"),
        (["--study", "s"], "--data"),
        (["--study", "s", "--data", "x.csv", "--searcher", "flaml"], "shares no search"),
    ],
)
def test_options_of_a_shared_search_that_do_not_fit_are_refused(options, sentence):
    found = CliRunner().invoke(app, ["train", "m", "--dry-run", *options])

    assert found.exit_code == 2
    assert sentence in found.output
