"""Fixtures of the broker tests."""

import pytest

from modstream.broker.client.connection import Connection


@pytest.fixture
def connection(bootstrap):
    return Connection(bootstrap)
