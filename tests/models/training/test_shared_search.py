"""A search that several processes share: what each does next, and what becomes of a killed one."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest

from modstream.models.training.errors import StudyMismatch, StudyUnusable
from modstream.models.training.shared_search import search_in_study
from modstream.models.training.study import Candidate, PulseTiming, SharedStudy, StudyTrial
from modstream.models.training.study_lock import remove_incomplete_line
from modstream.models.training.study_steps import (
    due_promotions,
    due_repetitions,
    has_earlier_twin,
    started_count,
)
from modstream.models.training.train import join_search, train
from tests.models.training.study_process import (
    FIRST,
    PULSE_SECONDS,
    open_shared,
    shared_search,
)
from tests.models.training.training_datasets import (
    QUICK_SETTINGS,
    ignore_progress,
    make_dataset,
)

MODULE = "tests.models.training.study_process"


def trial(number, score, *, kind="a", stride=9, state="done"):
    scores = (score,) if state == "done" else ()
    return StudyTrial(number, Candidate.of(kind, {"n": number}, stride), state, "p", scores)


def promoted(trials, strides=(9, 3, 1), *, rises=True):
    return [one.number for one in due_promotions(trials, strides, higher_is_better=rises)]


def test_the_best_third_and_the_best_of_each_kind_are_promoted():
    trials = [trial(at, at / 10) for at in range(6)] + [trial(6, 0.01, kind="b")]

    assert promoted(trials) == [5, 4, 6]
    assert promoted(trials, rises=False) == [0, 6]


def test_a_trial_is_promoted_once_and_those_on_more_rows_first():
    done = trial(0, 0.5)
    above = replace(done, number=1, candidate=done.candidate._replace(stride=3))

    assert promoted([done]) == [0]
    assert promoted([done, replace(above, state="running", scores=())]) == []
    assert promoted([done, above, trial(2, 0.7)]) == [1, 2]
    assert promoted([done], (9,)) == []


def test_a_lost_trial_is_repeated_once():
    lost = trial(0, 0.5, state="abandoned")

    assert list(due_repetitions([lost])) == [lost.candidate]
    assert list(due_repetitions([lost, replace(lost, number=1, state="running")])) == []
    assert list(due_repetitions([lost, replace(lost, number=1)])) == []
    assert list(due_repetitions([trial(0, 0.5, state="failed")])) == []


def test_of_two_trials_with_one_candidate_the_first_counts():
    twins = [trial(0, 0.5), replace(trial(0, 0.5), number=4, state="running")]

    assert has_earlier_twin(4, twins[0].candidate, twins)
    assert not has_earlier_twin(0, twins[0].candidate, twins)
    assert started_count(twins, 9) == 1


def test_an_incomplete_last_line_is_removed(tmp_path):
    for content, kept in ((b"a\nb", b"a\n"), (b"a\n", b"a\n"), (b"a", b""), (b"", b"")):
        path = tmp_path / "lines"
        path.write_bytes(content)
        remove_incomplete_line(path)
        assert path.read_bytes() == kept


def test_a_killed_write_costs_no_other_line(tmp_path):
    path = tmp_path / "study"
    with open_shared(str(path)) as study:
        study.take(FIRST)
        with path.open("ab") as file:
            file.write(b'{"op_code": 4, "cut')

        assert [one.candidate for one in open_shared(str(path)).trials()] == [FIRST]


@pytest.mark.parametrize("location", ["{}/study", "sqlite:///{}/study.db"])
def test_a_trial_is_recorded_with_its_scores_in_a_file_and_in_a_database(tmp_path, location):
    with open_shared(location.format(tmp_path)) as study:
        taken = study.take(FIRST)
        study.complete(taken, (0.7, 0.9), 1.5)
        failed, dropped = study.take(FIRST), study.take(FIRST)
        study.complete(failed, (), 1.0)
        study.drop(dropped)
        ended = study.take(FIRST)
        study.abandon(ended)
        study.complete(ended, (0.1,), 1.0)

        first, *others = study.trials()

    assert (first.candidate, first.state, first.scores) == (FIRST, "done", (0.7, 0.9))
    assert (first.process, first.seconds) == (study.process, 1.5)
    assert [one.state for one in others] == ["failed", "repeated", "abandoned"]


def test_a_study_on_other_rows_is_refused(tmp_path):
    open_shared(str(tmp_path / "study"), "some rows")

    with pytest.raises(StudyMismatch, match="other rows"):
        open_shared(str(tmp_path / "study"), "other rows")


@pytest.mark.parametrize(
    "location",
    [
        "/nowhere/study",
        "postgresql://me:secret@127.0.0.1:1/x",
        "nothing://me:sec@secret@h/x?password=secret",
    ],
)
def test_a_study_that_cannot_be_opened_is_an_error_without_a_password(location):
    with pytest.raises(StudyUnusable) as caught:
        open_shared(location)

    assert "secret" not in str(caught.value)


def test_a_process_without_a_pulse_is_dead_and_one_with_a_pulse_is_not(tmp_path):
    seconds = [0.0]
    location = str(tmp_path / "study")
    looking = SharedStudy(
        location,
        "modstream m",
        "rows",
        higher_is_better=True,
        timing=PulseTiming(clock=lambda: seconds[0]),
    )
    silent = open_shared(location)
    with looking:
        silent.take(FIRST)
        assert [one.state for one in looking.trials()] == ["running"]
        seconds[0] = 29.0
        assert [one.state for one in looking.trials()] == ["running"]
        silent._pulse(7)
        seconds[0] = 50.0
        assert [one.state for one in looking.trials()] == ["running"]
        seconds[0] = 81.0
        assert [one.state for one in looking.trials()] == ["abandoned"]


@pytest.mark.slow
def test_two_processes_share_a_search_and_the_trial_of_a_killed_one_is_repeated(tmp_path):
    location = str(tmp_path / "study")
    command = [sys.executable, "-m", MODULE, location]
    with subprocess.Popen([*command, "victim"], stdout=subprocess.PIPE) as victim:
        lost = int(victim.stdout.readline())
        victim.kill()
    settings = replace(QUICK_SETTINGS, trials=8)
    with open_shared(location) as study, subprocess.Popen([*command, "worker"]) as worker:
        shared = shared_search(study, settings)
        while len({one.process for one in study.trials()}) < 2:
            study._stop.wait(PULSE_SECONDS)
        own = shared.run()
        shared.wait_for_others()
        found = shared.collect()
        trials = study.trials()
        assert worker.wait(60) == 0

    assert own > 0
    assert trials[lost].state == "abandoned"
    repeated = [one for one in trials if one.candidate == FIRST and one.state == "done"]
    assert len(repeated) == 1
    assert repeated[0].process != trials[lost].process
    done = [one.candidate for one in trials if one.state == "done"]
    assert len(done) == len(set(done)) == len(found) == 8
    assert all(one.outputs.size for one in found)


@pytest.mark.slow
def test_a_shared_search_trains_like_one_of_its_own_and_continues_another(tmp_path):
    location, dataset = str(tmp_path / "study"), make_dataset()
    joined = join_search(dataset, QUICK_SETTINGS, location, ignore_progress)

    found = train(
        dataset, QUICK_SETTINGS, ignore_progress, search_models=partial(search_in_study, location)
    )

    alone = train(dataset, QUICK_SETTINGS, ignore_progress)
    assert joined == 3
    assert (found.chosen.name, found.chosen.scores) == (alone.chosen.name, alone.chosen.scores)
    assert found.metrics == alone.metrics
    assert sorted(one.name for one in found.trials) == sorted(one.name for one in alone.trials)
