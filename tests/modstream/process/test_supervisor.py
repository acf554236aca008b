"""The supervisor with real processes: shells and sleeps."""

import os
import signal
import time

import pytest
from structlog.testing import capture_logs

from modstream.process.supervisor import Backoff, Command, ProcessState, ProcessStatus, Supervisor

pytestmark = pytest.mark.slow

QUICK = Backoff(initial_seconds=0.02, max_seconds=0.08, reset_after_seconds=60)
SLEEPER = ("sleep", "600")
TIMEOUT = 20


@pytest.fixture
def supervisor(tmp_path):
    with Supervisor(tmp_path, QUICK) as running:
        yield running


@pytest.fixture
def term_handler(tmp_path):
    """Return a factory of shell commands with their own SIGTERM handler.

    A command writes to the FIFO of its name as soon as the handler is installed.
    """

    def command(name, on_term):
        os.mkfifo(tmp_path / name)
        loop = "while :; do sleep 0.02; done"
        return Command(
            name, ("sh", "-c", f"trap '{on_term}' TERM; echo up > {tmp_path / name}; {loop}")
        )

    return command


def status_of(supervisor, name):
    return next(status for status in supervisor.status() if status.name == name)


def test_pause_doubles_up_to_its_maximum_and_resets_after_a_long_uptime():
    backoff = Backoff(initial_seconds=1, max_seconds=5, reset_after_seconds=60)

    pauses = [backoff.next_pause(previous, uptime=2) for previous in (0, 1, 2, 4, 5)]

    assert pauses == [1, 2, 4, 5, 5]
    assert backoff.next_pause(5, uptime=61) == 1


def test_killed_process_is_restarted(supervisor):
    supervisor.start(Command("worker", SLEEPER))
    assert supervisor.wait_for(lambda statuses: statuses[0].pid is not None, TIMEOUT)
    first = supervisor.status()[0]

    supervisor.kill("worker")

    assert supervisor.wait_for(
        lambda statuses: (
            statuses[0].restarts == 1
            and statuses[0].state is ProcessState.RUNNING
            and statuses[0].pid
        ),
        TIMEOUT,
    )
    second = supervisor.status()[0]
    assert second.pid != first.pid
    assert second.exit_code == -signal.SIGKILL


def test_process_that_keeps_dying_is_restarted_with_increasing_pauses(supervisor, tmp_path):
    starts = tmp_path / "starts"
    began = time.monotonic()

    supervisor.start(Command("crasher", ("sh", "-c", f"echo started >> {starts}; exit 3")))

    assert supervisor.wait_for(
        lambda statuses: statuses[0].restarts >= 4 and statuses[0].state is ProcessState.BACKOFF,
        TIMEOUT,
    )
    assert time.monotonic() - began >= 0.02 + 0.04 + 0.08 + 0.08
    assert supervisor.status()[0].exit_code == 3
    assert starts.read_text().count("started") >= 5


def test_command_that_cannot_be_run_is_retried(supervisor):
    supervisor.start(Command("typo", ("/no/such/program",)))

    assert supervisor.wait_for(lambda statuses: statuses[0].restarts >= 2, TIMEOUT)
    assert status_of(supervisor, "typo").exit_code == 127


def test_process_that_ends_with_code_0_is_not_restarted(supervisor):
    supervisor.start(Command("replay", ("true",)))

    assert supervisor.wait_for(lambda statuses: statuses[0].state is ProcessState.FINISHED, TIMEOUT)
    assert supervisor.status() == [ProcessStatus("replay", ProcessState.FINISHED, None, 0, 0)]


def test_all_processes_are_asked_to_stop_in_reverse_order_and_may_clean_up(
    supervisor, term_handler, tmp_path
):
    names = ["broker", "worker", "learner"]
    for name in names:
        supervisor.start(term_handler(name, "echo bye; exit 0"))
        assert (tmp_path / name).read_text() == "up\n"

    with capture_logs() as events:
        supervisor.stop_all()

    assert [event["name"] for event in events] == ["learner", "worker", "broker"]
    assert [status.name for status in supervisor.status()] == names
    assert {status.state for status in supervisor.status()} == {ProcessState.STOPPED}
    assert {status.exit_code for status in supervisor.status()} == {0}
    assert {(tmp_path / "logs" / f"{name}.log").read_text() for name in names} == {"bye\n"}


def test_process_that_ignores_sigterm_is_killed_after_the_timeout(
    supervisor, term_handler, tmp_path
):
    supervisor.start(term_handler("stubborn", ""))
    assert (tmp_path / "stubborn").read_text() == "up\n"

    supervisor.stop_all(timeout_seconds=0.2)

    assert status_of(supervisor, "stubborn") == ProcessStatus(
        "stubborn", ProcessState.STOPPED, None, 0, -signal.SIGKILL
    )


def test_process_in_backoff_is_stopped_at_once(tmp_path):
    with Supervisor(tmp_path, Backoff(initial_seconds=600, max_seconds=600)) as supervisor:
        supervisor.start(Command("crasher", ("false",)))
        assert supervisor.wait_for(
            lambda statuses: statuses[0].state is ProcessState.BACKOFF, TIMEOUT
        )

    assert supervisor.status() == [ProcessStatus("crasher", ProcessState.STOPPED, None, 0, 1)]


def test_name_is_unique_among_active_processes_and_reusable_afterwards(supervisor):
    supervisor.start(Command("worker", SLEEPER))
    with pytest.raises(ValueError, match="worker is running already"):
        supervisor.start(Command("worker", SLEEPER))
    supervisor.stop(["worker"])

    supervisor.start(Command("worker", SLEEPER))

    assert supervisor.wait_for(lambda statuses: statuses[0].pid is not None, TIMEOUT)
    assert len(supervisor.status()) == 1


def test_child_has_its_own_session_so_that_ctrl_c_does_not_reach_it(supervisor):
    supervisor.start(Command("worker", SLEEPER))
    assert supervisor.wait_for(lambda statuses: statuses[0].pid is not None, TIMEOUT)
    pid = status_of(supervisor, "worker").pid

    assert os.getsid(pid) == pid
    assert os.getpgid(pid) != os.getpgid(0)


def test_child_has_its_own_log_and_environment(supervisor, tmp_path):
    command = Command("echo", ("/bin/sh", "-c", "echo $COLOUR; echo oops >&2"), {"COLOUR": "red"})

    supervisor.start(command)

    assert supervisor.wait_for(lambda statuses: statuses[0].state is ProcessState.FINISHED, TIMEOUT)
    assert (tmp_path / "logs" / "echo.log").read_text() == "red\noops\n"
