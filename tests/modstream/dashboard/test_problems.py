"""Problems: each has a sentence and a command that exists, and a sound stream has none."""

import shlex
from dataclasses import replace

import pytest
from typer.main import get_command

from modstream.cli.app import COMMANDS, app
from modstream.cli.lazy import load_command
from modstream.dashboard.problems import Symptoms, find_problems
from modstream.dashboard.snapshots import (
    DeadLetterCause,
    HealthView,
    History,
    PartitionLag,
    ReasonCount,
    ServiceView,
    StreamTotals,
)

SOUND = Symptoms(
    stream="flights",
    recent=StreamTotals(6000, 6000, 0, 0, 0, 1.0, 2.0, 3.0),
    recent_from=1000,
    services=[ServiceView("worker", True, 50, (PartitionLag("flights.requests", 0, 50),), ())],
    health=[HealthView("worker-0", True, "nothing waits", 0, 5)],
    dead_letters=(),
    quarantine=(),
    route_without_champion=(),
    history=History(0, 0, True, 12_000, 0),
    errors={},
)


def service(name, lag, *, is_running=True):
    return ServiceView(name, is_running, lag, (), ())


CASES = {
    "server/kafka": {"errors": {"kafka": "no Kafka broker answers"}},
    "server/topics": {"errors": {"topics": "topic flights.requests does not exist"}},
    "server/registry": {"errors": {"registry": "no answer"}},
    "server/dashboard": {"errors": {"dashboard": "see the log"}},
    "health/worker-0": {"health": [HealthView("worker-0", False, "no report for 60 s", None, 5)]},
    "service/worker": {"services": [service("worker", 7, is_running=False)]},
    "service/learner": {
        "services": [service("worker", 0), service("learner", 7, is_running=False)]
    },
    "lag/worker": {"services": [service("worker", 101)]},
    "model/delay": {"route_without_champion": ["delay"]},
    "dead_letters": {
        "recent": StreamTotals(6000, 6000, 0, 1, 0, None, None, None),
        "dead_letters": [DeadLetterCause("not_json", "VALUE", 1, 2000, "", ())],
    },
    "refusals": {"recent": StreamTotals(6000, 5900, 100, 0, 0, None, None, None)},
    "quarantine": {"quarantine": [ReasonCount("outlier", "delay", 5, 2000)]},
    "unreadable": {"history": History(0, 0, True, 12_000, 0, 3)},
    "timestamps": {"history": History(0, 0, True, 12_000, 3)},
}


def test_a_sound_stream_has_no_problem():
    assert find_problems(SOUND) == ()


@pytest.mark.parametrize("about", CASES)
def test_each_problem_has_a_sentence_and_a_remedy(about):
    (found,) = find_problems(replace(SOUND, **CASES[about]))

    assert found.about == about
    assert found.sentence
    assert is_command(found.remedy)


def is_command(text):
    """Return whether the words after `modstream` lead to a command, whose options exist."""
    program, *words = shlex.split(text)
    command = get_command(app)
    context = command.make_context("modstream", ["--help"], resilient_parsing=True)
    while words and hasattr(command, "get_command"):
        name = words.pop(0)
        command = command.get_command(context, name)
        if command is None:
            return False
    options = {one for one in words if one.startswith("-")}
    if options:
        known = load_command(name, COMMANDS[name]).params
        options -= {option for one in known for option in one.opts}
    return program == "modstream" and not options


def test_a_remedy_that_is_no_command_would_be_noticed():
    assert not is_command("modstream topics repair flights")
    assert not is_command("modstream consume flights --fast")


def test_old_rejections_and_small_lags_are_no_problem():
    quarantine = [ReasonCount("outlier", "delay", 5, 999)]
    quiet = replace(SOUND.recent, requests=0, answers=0)
    lags = [service("worker", 100), service("joiner", 0)]

    assert find_problems(replace(SOUND, quarantine=quarantine, recent=quiet, services=lags)) == ()


def test_requests_that_no_worker_has_ever_read_are_a_problem():
    (found,) = find_problems(replace(SOUND, services=[]))

    assert found.about == "service/worker"
    assert found.remedy == "modstream worker flights"


def test_errors_come_before_warnings():
    changes = {**CASES["refusals"], **CASES["server/kafka"], **CASES["timestamps"]}

    found = find_problems(replace(SOUND, **changes))

    assert [one.severity for one in found] == ["error", "warning", "warning"]
