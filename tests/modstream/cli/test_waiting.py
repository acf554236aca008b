"""Waiting for a model that nobody has published yet."""

from contextlib import contextmanager
from threading import Event

import pytest

from modstream.models.errors import ModelNotFound
from modstream.registry.access import await_model


class Registry:
    """One whose hints say that something has changed, as often as it is asked."""

    def __init__(self, stop, stop_after):
        self.hints, self._stop, self._stop_after = 0, stop, stop_after

    @contextmanager
    def watch(self):
        yield self

    def wait(self, _timeout):
        self.hints += 1
        if self.hints == self._stop_after:
            self._stop.set()
        return True


def absent(found):
    """A look that finds something at the third time; before, nothing or an error."""
    answers = iter(found)

    def look():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look


@pytest.mark.parametrize("nothing", [None, ModelNotFound("m", "champion")], ids=["None", "error"])
def test_a_model_that_is_not_there_yet_is_waited_for(nothing):
    stop = Event()
    registry = Registry(stop, stop_after=10)

    assert await_model(registry, stop, "m", absent([nothing, nothing, "card"])) == "card"
    assert registry.hints == 2


def test_who_is_asked_to_stop_waits_no_longer():
    stop = Event()
    registry = Registry(stop, stop_after=3)

    assert await_model(registry, stop, "m", lambda: None) is None
    assert registry.hints == 3
