"""The journal of experiments, and their comparison."""

import pytest

from modstream.errors import HomeUnusable, UnknownName
from modstream.experiments.code_version import code_version
from modstream.experiments.compare import compare_experiments
from modstream.experiments.experiment import DataRecord, Experiment, TrialSummary
from modstream.experiments.journal import Journal
from modstream.models.training.data_hash import hash_rows
from tests.models.training.training_datasets import make_dataset


def experiment(name="aaaa1111", *, auc=0.7, trials=60, test="t", state="accepted"):
    chosen = TrialSummary(
        kind="boosting", mean=auc, deviation=0.01, folds=4, stride=1, cpu_seconds=1.0
    )
    data = DataRecord(
        source="rows.csv", sha256="d", rows=10, features=("a",), test_rows=2, test_sha256=test
    )
    return Experiment(
        id=name,
        time="2026-01-01T00:00:00+00:00",
        model="m",
        task="binary",
        state=state,
        reason="",
        code="0.1.0",
        settings={"trials": trials, "folds": 4},
        data=data,
        metric="auc",
        chosen=chosen,
        metrics={"auc": auc},
        spent={"cpu": 2.0, "wall": 3.0},
    )


def test_experiments_are_read_in_the_order_in_which_they_were_added(tmp_path):
    journal = Journal(tmp_path)
    added = [experiment("aaaa1111"), experiment("bbbb2222", auc=0.8)]

    for one in added:
        journal.append(one)

    assert Journal(tmp_path).read() == added


def test_a_journal_that_does_not_exist_is_empty(tmp_path):
    assert Journal(tmp_path).read() == []


def test_a_line_cut_by_a_crash_costs_no_other_line(tmp_path):
    journal = Journal(tmp_path)
    journal.append(experiment("aaaa1111"))
    with journal.path.open("ab") as file:
        file.write(b'{"id": "cut')

    journal.append(experiment("bbbb2222"))

    assert [one.id for one in journal.read()] == ["aaaa1111", "bbbb2222"]


def test_an_experiment_is_found_by_the_beginning_of_its_id(tmp_path):
    journal = Journal(tmp_path)
    for name in ("aaaa1111", "aaaa2222"):
        journal.append(experiment(name))

    assert journal.find("aaaa1").id == "aaaa1111"
    for ambiguous in ("aaaa", "aa", "cccc"):
        with pytest.raises(UnknownName, match="unknown experiment"):
            journal.find(ambiguous)


def test_tests_on_the_same_rows_are_counted(tmp_path):
    journal = Journal(tmp_path)
    for test, state in (("t", "accepted"), ("t", "rejected"), ("t", "failed"), ("u", "accepted")):
        journal.append(experiment(test=test, state=state))

    assert journal.test_openings("t") == 2


def test_a_home_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "home").write_text("")

    with pytest.raises(HomeUnusable):
        Journal(tmp_path / "home").append(experiment())


def test_only_settings_that_differ_are_compared():
    rows = compare_experiments([experiment("aaaa1111"), experiment("bbbb2222", auc=0.8, trials=5)])

    found = {row[""]: (row["aaaa1111"], row["bbbb2222"]) for row in rows}
    assert found["auc"] == (0.7, 0.8)
    assert found["settings.trials"] == (60, 5)
    assert "settings.folds" not in found
    assert "code" not in found


def test_equal_rows_have_an_equal_hash():
    assert hash_rows(make_dataset()) == hash_rows(make_dataset())
    assert hash_rows(make_dataset()) != hash_rows(make_dataset(seed=1))
    assert hash_rows(make_dataset()) != hash_rows(make_dataset(299))


def test_the_code_version_outside_of_a_checkout_is_the_package_version(tmp_path):
    inside = code_version()

    assert code_version(tmp_path).count("+") == 0
    assert inside.startswith(code_version(tmp_path))
