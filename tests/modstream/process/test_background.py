"""A background thread: an owner learns of its failure and decides how long it runs."""

from threading import Event

import pytest
from structlog.testing import capture_logs

from modstream.process.background import BackgroundThread

TIMEOUT = 20


def fail(_stop):
    raise ValueError("broken")


def test_target_runs_until_the_context_is_left():
    ran = []

    def target(stop):
        ran.append(stop.wait(TIMEOUT))

    with BackgroundThread("waiter", target):
        pass

    assert ran == [True]


def test_failure_is_logged_with_its_traceback_and_raised_in_the_owner():
    thread = BackgroundThread("broken", fail)

    with capture_logs() as events:
        thread.start().join(TIMEOUT)

    assert [(event["event"], event["thread"], event["exc_info"]) for event in events] == [
        ("background thread failed", "broken", True)
    ]
    with pytest.raises(ValueError, match="broken"):
        thread.raise_if_failed()


def test_leaving_the_context_raises_the_failure():
    with pytest.raises(ValueError, match="broken"), BackgroundThread("broken", fail) as thread:
        thread.join(TIMEOUT)


def test_leaving_the_context_does_not_hide_the_error_of_its_body():
    thread = BackgroundThread("broken", fail)

    def body():
        with thread:
            thread.join(TIMEOUT)
            raise KeyError

    with pytest.raises(KeyError):
        body()


def test_listed_exceptions_are_retried_after_a_pause():
    attempts, done = [], Event()

    def target(_stop):
        attempts.append(None)
        if len(attempts) < 3:
            raise OSError("away")
        done.set()

    with (
        capture_logs() as events,
        BackgroundThread("retrying", target, retry_on=(OSError,), retry_seconds=0.01),
    ):
        assert done.wait(TIMEOUT)

    assert [event["cause"] for event in events] == ["away", "away"]


def test_other_exceptions_are_not_retried():
    with (
        pytest.raises(ValueError, match="broken"),
        BackgroundThread("broken", fail, retry_on=(OSError,), retry_seconds=TIMEOUT) as thread,
    ):
        thread.join(TIMEOUT)


def test_stop_ends_the_pause_before_a_retry():
    failed = Event()

    def target(_stop):
        failed.set()
        raise OSError("away")

    thread = BackgroundThread("retrying", target, retry_on=(OSError,), retry_seconds=600).start()
    assert failed.wait(TIMEOUT)
    thread.stop(TIMEOUT)

    thread.raise_if_failed()


def test_wait_for_a_thread_that_does_not_stop_is_bounded():
    release = Event()

    def target(_stop):
        release.wait(TIMEOUT)

    thread = BackgroundThread("stuck", target).start()

    thread.stop(timeout=0.01)

    assert not release.is_set()
    release.set()
    thread.join(TIMEOUT)
