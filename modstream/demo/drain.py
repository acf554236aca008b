"""Waits until the services are ready, and until they have processed all records."""

from threading import Event
from time import monotonic

from modstream.broker.client.admin import Admin
from modstream.broker.wire.topics import Topics
from modstream.live.lag import read_lag

POLL_INTERVAL_S = 0.25
REQUIRED_ZERO_POLLS = 3


def wait_until_ready(admin: Admin, topics: Topics, workers: int, stop: Event) -> None:
    """Wait until all workers, the joiner and the aggregator are members of their groups."""
    wanted = {
        topics.group("worker"): workers,
        topics.group("joiner"): 1,
        topics.group("aggregator"): 1,
    }
    while any(admin.count_members(group) < count for group, count in wanted.items()):
        if stop.wait(POLL_INTERVAL_S):
            return


def wait_until_drained(
    admin: Admin, topics: Topics, stop: Event, timeout_seconds: float = 60.0
) -> dict[str, int]:
    """Wait until worker, joiner and learner have no lag in several consecutive polls.

    Returns the remaining lag by service: all zeros, unless the timeout expired or `stop` was set
    first. The joiner's lag is measured by its labels: its other input is written in transactions,
    whose markers occupy offsets that a consumer group never commits.
    """
    deadline, zero_polls = monotonic() + timeout_seconds, 0
    while True:
        remaining = read_lag(admin, topics)
        zero_polls = 0 if any(remaining.values()) else zero_polls + 1
        if (
            zero_polls >= REQUIRED_ZERO_POLLS
            or monotonic() > deadline
            or stop.wait(POLL_INTERVAL_S)
        ):
            return remaining
