"""Which ports the services of a local stack get."""

import socket

from modstream.cli.up import choose_dashboard_port
from modstream.stack.embedded.ports import DEFAULT_DASHBOARD_PORT, is_free


def test_the_dashboard_gets_the_port_that_is_asked_for():
    assert choose_dashboard_port(-1) is None
    assert choose_dashboard_port(9999) == 9999


def test_the_dashboard_gets_its_usual_port_or_else_a_free_one():
    assert is_free(choose_dashboard_port(0))
    usual = choose_dashboard_port(None)
    assert is_free(usual)
    try:
        taken = socket.create_server(("127.0.0.1", DEFAULT_DASHBOARD_PORT))
    except OSError:
        assert usual != DEFAULT_DASHBOARD_PORT
        return
    with taken:
        assert choose_dashboard_port(None) != DEFAULT_DASHBOARD_PORT
