"""A broker that is frozen: its connections stay open, and it answers nothing."""

import os
import signal
from time import monotonic

import pytest

from modstream.broker.client.admin import Admin
from modstream.dashboard.state import DashboardState
from tests.modstream.services.candidate_registry import load_test_settings

pytestmark = pytest.mark.real

NOTICED_SECONDS = 20.0
TIMEOUT_SECONDS = 240.0
"""Guards against a hang: a broker that was frozen on a busy machine takes its time to return."""


@pytest.fixture
def broker(kafka_server):
    """A broker of its own, whose process a test may freeze."""
    server = kafka_server()
    yield server
    if server.pid is not None:
        os.kill(server.pid, signal.SIGCONT)


def wait_until(state, is_reached):
    """Wait for updates until a condition holds; return the seconds that it took."""
    start, revision = monotonic(), state.revision
    while not is_reached() and monotonic() - start < TIMEOUT_SECONDS:
        revision = state.wait_for_update(revision, 0.5)
    assert is_reached()
    return monotonic() - start


def test_a_frozen_broker_is_among_the_problems_and_no_longer_when_it_goes_on(
    broker, redis_url, prefix, tmp_path
):
    settings = load_test_settings(broker.url, redis_url, prefix, tmp_path)
    Admin(settings.connection).create(settings.topic_specs())
    with DashboardState(settings) as state:
        wait_until(state, lambda: state.stream_view().history.is_complete)
        assert not is_away(state)

        os.kill(broker.pid, signal.SIGSTOP)
        seconds = wait_until(state, lambda: is_away(state))
        assert state.stream_view().history.is_complete
        os.kill(broker.pid, signal.SIGCONT)
        wait_until(state, lambda: not is_away(state))

    assert seconds < NOTICED_SECONDS


def is_away(state):
    return "server/kafka" in {one.about for one in state.stream_view().problems}
