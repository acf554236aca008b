"""The journal of experiments is followed, and read again if it is another file."""

import pytest

from modstream.dashboard.experiment_reader import ExperimentReader
from modstream.errors import HomeUnusable
from modstream.experiments.journal import Journal
from tests.modstream.dashboard.experiments import experiment


def ids(reader):
    return [one.id for one in reader.read()]


def test_new_experiments_are_added_before_the_others(tmp_path):
    reader, journal = ExperimentReader(tmp_path), Journal(tmp_path)
    assert (ids(reader), reader.mark()) == ([], (0, 0))

    journal.append(experiment("aaaa1111", auc=0.7))
    first = reader.mark()
    assert ids(reader) == ["aaaa1111"]
    journal.append(experiment("bbbb2222", auc=0.8))

    assert ids(reader) == ["bbbb2222", "aaaa1111"]
    assert reader.mark() != first


def test_a_line_that_is_being_written_is_read_once_it_is_complete(tmp_path):
    reader, journal = ExperimentReader(tmp_path), Journal(tmp_path)
    journal.append(experiment("aaaa1111"))
    line = experiment("bbbb2222").model_dump_json().encode() + b"\n"
    with journal.path.open("ab") as file:
        file.write(line[:50])
        file.flush()
        assert ids(reader) == ["aaaa1111"]
        file.write(line[50:])

    assert ids(reader) == ["bbbb2222", "aaaa1111"]


def test_only_the_best_trials_of_the_newest_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("modstream.dashboard.experiment_reader.MAX_TRIALS", 2)
    Journal(tmp_path).append(experiment("aaaa1111", auc=0.7))

    (found,) = ExperimentReader(tmp_path).read()

    assert [one.kind for one in found.trials] == ["boosting", "forest"]


def test_another_file_is_read_from_its_beginning(tmp_path):
    reader, journal = ExperimentReader(tmp_path), Journal(tmp_path)
    for name in ("aaaa1111", "bbbb2222"):
        journal.append(experiment(name))
    assert len(reader.read()) == 2
    journal.path.unlink()
    assert ids(reader) == []

    journal.append(experiment("cccc3333"))

    assert ids(reader) == ["cccc3333"]


def test_a_journal_that_cannot_be_read_is_an_error(tmp_path):
    Journal(tmp_path).path.mkdir(parents=True)

    with pytest.raises(HomeUnusable):
        ExperimentReader(tmp_path).read()
