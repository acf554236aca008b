"""Waiting: until everybody is there, and until everything that was sent is worked off."""

from threading import Event
from time import monotonic

from modstream.broker.client.admin import Admin
from modstream.broker.wire.topics import Topics
from modstream.live.follower import lag

LOOK_EVERY = 0.25
QUIET_LOOKS = 3


def await_ready(admin: Admin, topics: Topics, workers: int, stop: Event) -> None:
    """Wait until all workers and the joiner have their partitions."""
    wanted = {topics.group("worker"): workers, topics.group("joiner"): 1}
    while any(admin.members(group) < count for group, count in wanted.items()):
        if stop.wait(LOOK_EVERY):
            return


def drain(admin: Admin, topics: Topics, stop: Event, patience: float = 60.0) -> dict[str, int]:
    """Wait until worker, joiner and learner have no lag, several looks in a row.

    Returns the lag that is left by role: nothing but zeros, unless `patience` seconds or the
    caller's own ended first. The joiner is judged by the labels: its other input is written in
    transactions, whose markers count as offsets that nobody can commit.
    """
    deadline, quiet = monotonic() + patience, 0
    while True:
        left = lag(admin, topics)
        quiet = 0 if any(left.values()) else quiet + 1
        if quiet >= QUIET_LOOKS or monotonic() > deadline or stop.wait(LOOK_EVERY):
            return left
