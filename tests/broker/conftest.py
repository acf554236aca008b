"""What the tests of the clients share."""

import pytest

from broker.connection import Connection


@pytest.fixture
def connection(bootstrap):
    return Connection(bootstrap)
