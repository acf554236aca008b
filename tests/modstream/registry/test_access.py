"""Waiting for a model that has not been published yet."""

from contextlib import contextmanager
from threading import Event

import pytest
from structlog.testing import capture_logs

from modstream.models.registry.errors import ModelNotFound
from modstream.registry.access import wait_for_model


class NotifyingRegistry:
    """Stand-in for a registry that sends a change notification on every wait."""

    def __init__(self, stop, stop_after):
        self.notifications, self._stop, self._stop_after = 0, stop, stop_after

    @contextmanager
    def subscribe(self):
        yield self

    def names(self):
        return ["online"]

    def wait_for(self, _name, _timeout):
        self.notifications += 1
        if self.notifications == self._stop_after:
            self._stop.set()
        return True


def finder(results):
    """Return a `find` function that returns or raises the results one by one."""
    remaining = iter(results)

    def find():
        result = next(remaining)
        if isinstance(result, Exception):
            raise result
        return result

    return find


@pytest.mark.parametrize("missing", [None, ModelNotFound("m", "champion")], ids=["None", "error"])
def test_the_search_is_repeated_until_the_model_is_published(missing):
    stop = Event()
    registry = NotifyingRegistry(stop, stop_after=10)

    assert wait_for_model(registry, stop, "m", finder([missing, missing, "card"])) == "card"
    assert registry.notifications == 2


def test_waiting_ends_without_a_model_on_shutdown():
    stop = Event()
    registry = NotifyingRegistry(stop, stop_after=3)

    assert wait_for_model(registry, stop, "m", lambda: None) is None
    assert registry.notifications == 3


def test_the_wait_for_a_model_names_a_published_one_that_is_called_almost_like_it():
    stop = Event()
    registry = NotifyingRegistry(stop, stop_after=1)

    with capture_logs() as logs:
        wait_for_model(registry, stop, "onlin", lambda: None)

    assert logs[0]["hint"] == "did you mean online?"
