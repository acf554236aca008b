"""The time that pending work has made no progress."""

from modstream.broker.loop.progress import ProgressTracker


def test_each_item_has_its_own_time_that_starts_with_its_last_progress():
    tracker = ProgressTracker()
    tracker.observe({"a": 0, "b": 0}, now=0.0)
    tracker.observe({"a": 0, "b": 3}, now=6.0)

    assert tracker.stalled(10.0, now=10.0) == {"a"}
    assert tracker.stalled(10.0, now=16.0) == {"a", "b"}


def test_time_starts_again_for_an_item_that_had_no_pending_work_in_between():
    tracker = ProgressTracker()
    tracker.observe({"a": 0}, now=0.0)
    tracker.observe({}, now=5.0)
    tracker.observe({"a": 0}, now=9.0)

    assert tracker.stalled(10.0, now=12.0) == set()


def test_time_starts_again_while_the_process_is_busy_with_other_work():
    tracker = ProgressTracker()
    tracker.observe({"a": 0}, now=0.0)
    tracker.observe({"a": 0}, now=9.0, is_busy=True)

    assert tracker.stalled(10.0, now=12.0) == set()


def test_time_starts_again_after_a_reset():
    tracker = ProgressTracker()
    tracker.observe({"a": 0}, now=0.0)
    tracker.reset()
    tracker.observe({"a": 0}, now=9.0)

    assert tracker.stalled(10.0, now=12.0) == set()
