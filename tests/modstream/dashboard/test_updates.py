"""The revision grows when something has changed, not more often than its interval."""

from threading import Event
from time import monotonic

from modstream.dashboard.updates import IDLE_INTERVALS, UpdateSignal
from modstream.process.background import BackgroundThread


class Marks:
    """What is watched; `seen` is set when it has been looked at again after a change."""

    def __init__(self):
        self.value = 0
        self.looks = 0

    def __call__(self):
        self.looks += 1
        return self.value


def test_a_change_ends_the_wait_and_calls_the_subscribers():
    marks, called = Marks(), []
    signal = UpdateSignal(marks, interval=0.02)
    with BackgroundThread("updates", signal.run), signal.subscribed(called.append):
        marks.value = 1
        revision = signal.wait(0, 5.0)

        assert revision >= 1
        assert signal.wait(revision, 0.0) >= revision
        wait_for(lambda: called)
    assert called[0] == 1


def test_without_a_change_there_is_an_update_now_and_then():
    marks = Marks()
    signal = UpdateSignal(marks, interval=0.005)
    with BackgroundThread("updates", signal.run):
        assert signal.wait(1, 5.0) == 2

    assert marks.looks >= 2 * IDLE_INTERVALS


def test_updates_are_not_more_frequent_than_the_interval():
    marks = Marks()
    signal = UpdateSignal(lambda: marks() and marks.looks, interval=0.05)
    marks.value = 1
    start = monotonic()
    with BackgroundThread("updates", signal.run):
        signal.wait(4, 5.0)

    assert monotonic() - start >= 4 * 0.05


def test_a_subscriber_that_fails_does_not_end_the_updates():
    marks, called = Marks(), []
    signal = UpdateSignal(marks, interval=0.01)

    def fail(_revision):
        raise RuntimeError("the event loop is closed")

    with (
        BackgroundThread("updates", signal.run),
        signal.subscribed(fail),
        signal.subscribed(called.append),
    ):
        wait_for(lambda: len(called) >= 2)


def test_who_has_left_is_not_called():
    signal, called = UpdateSignal(Marks(), interval=0.01), []
    with signal.subscribed(called.append):
        pass
    with BackgroundThread("updates", signal.run):
        signal.wait(0, 5.0)

    assert called == []


def test_the_end_of_the_updates_ends_the_wait():
    signal = UpdateSignal(Marks(), interval=0.01)
    with BackgroundThread("updates", signal.run):
        pass
    start = monotonic()

    signal.wait(99, 30.0)

    assert monotonic() - start < 10


def wait_for(is_reached, timeout=5.0):
    deadline, pause = monotonic() + timeout, Event()
    while not is_reached() and monotonic() < deadline:
        pause.wait(0.005)
    assert is_reached()
