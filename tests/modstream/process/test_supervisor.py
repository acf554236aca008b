"""The supervisor, with real processes: shells and sleeps."""

import os
import signal
import time

import pytest
from structlog.testing import capture_logs

from modstream.process.supervisor import Backoff, Command, Row, State, Supervisor

QUICK = Backoff(first=0.02, longest=0.08, healthy=60)
SLEEPER = ("sleep", "600")
PATIENCE = 20


@pytest.fixture
def supervisor(tmp_path):
    with Supervisor(tmp_path, QUICK) as running:
        yield running


@pytest.fixture
def trapper(tmp_path):
    """Compose shells that do as they like when asked to end, and wait until they can hear it."""

    def compose(name, on_term):
        os.mkfifo(tmp_path / name)
        loop = "while :; do sleep 0.02; done"
        return Command(
            name, ("sh", "-c", f"trap '{on_term}' TERM; echo up > {tmp_path / name}; {loop}")
        )

    return compose


def row(supervisor, name):
    return next(row for row in supervisor.status() if row.name == name)


def test_the_pause_doubles_to_its_bound_and_starts_anew_after_a_healthy_life():
    backoff = Backoff(first=1, longest=5, healthy=60)

    pauses = [backoff.after(previous, lived=2) for previous in (0, 1, 2, 4, 5)]

    assert pauses == [1, 2, 4, 5, 5]
    assert backoff.after(5, lived=61) == 1


def test_a_killed_process_is_started_again(supervisor):
    supervisor.start(Command("worker", SLEEPER))
    assert supervisor.wait_for(lambda rows: rows[0].pid is not None, PATIENCE)
    first = supervisor.status()[0]

    supervisor.kill("worker")

    assert supervisor.wait_for(
        lambda rows: rows[0].restarts == 1 and rows[0].state is State.RUNNING and rows[0].pid,
        PATIENCE,
    )
    second = supervisor.status()[0]
    assert second.pid != first.pid
    assert second.exit_code == -signal.SIGKILL


def test_a_process_that_keeps_dying_is_started_again_with_growing_pauses(supervisor, tmp_path):
    lives = tmp_path / "lives"
    started = time.monotonic()

    supervisor.start(Command("crasher", ("sh", "-c", f"echo born >> {lives}; exit 3")))

    assert supervisor.wait_for(
        lambda rows: rows[0].restarts >= 4 and rows[0].state is State.PAUSING, PATIENCE
    )
    assert time.monotonic() - started >= 0.02 + 0.04 + 0.08 + 0.08
    assert supervisor.status()[0].exit_code == 3
    assert lives.read_text().count("born") >= 5


def test_a_command_that_cannot_be_run_is_tried_again_like_one_that_died(supervisor):
    supervisor.start(Command("typo", ("/no/such/program",)))

    assert supervisor.wait_for(lambda rows: rows[0].restarts >= 2, PATIENCE)
    assert row(supervisor, "typo").exit_code == 127


def test_a_process_that_ends_well_is_left_in_peace(supervisor):
    supervisor.start(Command("replay", ("true",)))

    assert supervisor.wait_for(lambda rows: rows[0].state is State.FINISHED, PATIENCE)
    assert supervisor.status() == [Row("replay", State.FINISHED, None, 0, 0)]


def test_all_are_asked_to_end_in_reverse_order_and_each_may_end_in_its_own_way(
    supervisor, trapper, tmp_path
):
    names = ["broker", "worker", "learner"]
    for name in names:
        supervisor.start(trapper(name, "echo bye; exit 0"))
        assert (tmp_path / name).read_text() == "up\n"

    with capture_logs() as events:
        supervisor.stop_all()

    assert [event["name"] for event in events] == ["learner", "worker", "broker"]
    assert [row.name for row in supervisor.status()] == names
    assert {row.state for row in supervisor.status()} == {State.STOPPED}
    assert {row.exit_code for row in supervisor.status()} == {0}
    assert {(tmp_path / "logs" / f"{name}.log").read_text() for name in names} == {"bye\n"}


def test_who_ignores_the_request_to_end_is_killed_when_the_grace_is_over(
    supervisor, trapper, tmp_path
):
    supervisor.start(trapper("deaf", ""))
    assert (tmp_path / "deaf").read_text() == "up\n"

    supervisor.stop_all(grace=0.2)

    assert row(supervisor, "deaf") == Row("deaf", State.STOPPED, None, 0, -signal.SIGKILL)


def test_a_process_that_pauses_before_its_next_start_is_stopped_at_once(tmp_path):
    with Supervisor(tmp_path, Backoff(first=600, longest=600)) as supervisor:
        supervisor.start(Command("crasher", ("false",)))
        assert supervisor.wait_for(lambda rows: rows[0].state is State.PAUSING, PATIENCE)

    assert supervisor.status() == [Row("crasher", State.STOPPED, None, 0, 1)]


def test_a_name_is_alive_once_and_free_again_when_its_process_ended(supervisor):
    supervisor.start(Command("worker", SLEEPER))
    with pytest.raises(ValueError, match="worker is running already"):
        supervisor.start(Command("worker", SLEEPER))
    supervisor.stop(["worker"])

    supervisor.start(Command("worker", SLEEPER))

    assert supervisor.wait_for(lambda rows: rows[0].pid is not None, PATIENCE)
    assert len(supervisor.status()) == 1


def test_children_have_their_own_session_so_that_ctrl_c_reaches_only_us(supervisor):
    supervisor.start(Command("worker", SLEEPER))
    assert supervisor.wait_for(lambda rows: rows[0].pid is not None, PATIENCE)
    pid = row(supervisor, "worker").pid

    assert os.getsid(pid) == pid
    assert os.getpgid(pid) != os.getpgid(0)


def test_output_goes_to_the_childs_own_log_and_the_environment_is_its_own(supervisor, tmp_path):
    command = Command("teller", ("/bin/sh", "-c", "echo $COLOUR; echo oops >&2"), {"COLOUR": "red"})

    supervisor.start(command)

    assert supervisor.wait_for(lambda rows: rows[0].state is State.FINISHED, PATIENCE)
    assert (tmp_path / "logs" / "teller.log").read_text() == "red\noops\n"
