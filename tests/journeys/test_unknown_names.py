"""A mistyped name is refused with the nearest names, and a second worker with the same id, too."""

import subprocess
import sys
from time import time
from uuid import uuid4

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.errors import NotJson
from modstream.broker.wire.dead_letters import build_dead_letter
from modstream.broker.wire.records import Record
from modstream.stack.local_stack import child_environment
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system, publish_untrained, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]

STREAM_COMMANDS = [
    *(["produce"], ["consume"], ["topics", "lag"], ["load"], ["verify"], ["trace", "x"]),
    *(["versions"], ["backtest"], ["dlq", "list"], ["quarantine", "list"]),
]
UNKNOWN_STREAM = (
    "modstream: unknown stream fligths: did you mean flights?"
    " `modstream topics create fligths` creates it\n"
)
SERVICES = ("worker", "joiner", "learner", "retrainer")


@pytest.fixture(scope="module")
def published(bootstrap, redis_url, tmp_path_factory):
    """A system with topics, the model `online`, and one dead letter `not_json`."""
    prefix, folder = f"t{uuid4().hex[:8]}.", tmp_path_factory.mktemp("system")
    with open_system(bootstrap, redis_url, prefix, folder) as system:
        yield prepare(with_route(system, "online"))


def prepare(system):
    publish_untrained(system, "online")
    topics = system.topics
    failed = Record(topics.requests, 0, 0, key=b"k", value=b"{", timestamp=int(time() * 1000))
    with Publisher(system.settings.connection) as publisher:
        publisher.send(build_dead_letter(failed, topics.dlq, NotJson("broken"), "decode"))
    return system


def run_process(system, *arguments):
    """Run a command to its end in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "modstream", *arguments],
        cwd=system.folder,
        env=child_environment(system.settings),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("command", STREAM_COMMANDS, ids=" ".join)
def test_an_unknown_stream_is_refused_with_the_nearest(published, command):
    done = published.run(*command, "fligths")

    assert done.returncode == 1
    assert done.stderr == UNKNOWN_STREAM


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_of_an_unknown_stream_does_not_wait_for_it(published, service):
    done = run_process(published, service, "fligths")

    assert (done.returncode, done.stderr) == (1, UNKNOWN_STREAM)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["models", "show", "onlin"], "unknown model onlin: did you mean online?"),
        (["models", "promote", "onlin", "1"], "unknown model onlin: did you mean online?"),
        (["models", "rollback", "onlin"], "unknown model onlin: did you mean online?"),
        (["load", "--model", "onlin"], "unknown model onlin: did you mean online?"),
        (["backtest", "--model", "onlin"], "unknown model onlin: did you mean online?"),
        (["backtest", "--baseline", "onlin"], "unknown model onlin: did you mean online?"),
        (["train", "onlin"], "unknown model onlin: did you mean online?"),
        (["versions", "--model", "onlin"], "unknown model onlin: did you mean online?"),
        (
            ["models", "show", "online", "--version", "champoin"],
            "unknown alias of online champoin: did you mean champion?",
        ),
        (
            ["models", "rollback", "online", "--alias", "champoin"],
            "unknown alias of online champoin: did you mean champion?",
        ),
        (["models", "promote", "online", "7"], "unknown version of online 7: known is 1"),
        (
            ["backtest", "--model", "online", "--version", "champoin"],
            "unknown alias of online champoin: did you mean champion?",
        ),
        (["dlq", "show", "not_jsn"], "unknown cause not_jsn: did you mean not_json?"),
        (["dlq", "redrive", "--cause", "not_jsn"], "cause not_jsn: did you mean not_json?"),
        (
            ["dlq", "redrive", "--dry-run", "--cause", "xyzzy"],
            "unknown cause xyzzy: known is not_json",
        ),
        (["consume", "--topic", "predictoins"], "'predictoins' is not one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_another_unknown_name_is_refused_with_the_nearest(published, command, sentence):
    done = published.run(*command)

    assert done.returncode in {1, 2}
    assert sentence in " ".join(done.stderr.split())


def test_a_dead_letter_of_another_topic_is_refused_with_the_one_that_is_meant(published):
    topic = published.topics.dlq
    wrong = topic.replace("flights", "fligths")
    (partition,) = [
        number
        for number in range(4)
        if f"{topic}:{number}:0" in published.run("dlq", "show", "not_json").stdout
    ]

    done = published.run("dlq", "show", f"{wrong}:{partition}:0")

    assert done.returncode == 1
    assert f"did you mean {topic}:{partition}:0?" in done.stderr


def test_a_cause_that_no_letter_has_is_no_error_if_modstream_has_it(published):
    done = published.run("dlq", "redrive", "--cause", "too_large", "--json")

    assert done.returncode == 0, done.stderr
    assert '"sent": 0' in done.stdout


def test_a_second_worker_with_the_same_instance_id_is_refused_and_the_first_one_answers(published):
    published.start("worker", "worker")
    published.wait_for_worker()

    second = run_process(published, "worker")

    assert second.returncode == 1
    assert "worker 0 of stream flights runs already, as `modstream worker` (pid " in second.stderr
    assert "choose another instance id, such as --instance-id 1" in second.stderr
    published.wait_for_worker()
    assert [status.restarts for status in published.supervisor.status()] == [0]
