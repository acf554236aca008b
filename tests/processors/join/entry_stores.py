"""Stores of entries for the tests of the join."""

from pathlib import Path

from modstream.processors.join.disk.stores import DiskStores
from modstream.processors.join.settings import EntryLimits
from tests.processors.join.join_log import HORIZON


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now=1_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


def open_disk(folder, limits=EntryLimits(), instance="one", horizon=HORIZON, clock=None):  # noqa: B008
    """Return the stores on disk of a joiner."""
    return DiskStores(Path(folder), instance, horizon, limits, clock or Clock())
