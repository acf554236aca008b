"""What the tests of the clients share."""

import pytest

from modstream.broker.client.connection import Connection


@pytest.fixture
def connection(bootstrap):
    return Connection(bootstrap)
