"""Fixtures of the client tests."""

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.wire.topics import TopicSpec


@pytest.fixture
def topic(connection, prefix):
    """A topic of eight partitions."""
    name = f"{prefix}words"
    Admin(connection).create([TopicSpec(name, 8)])
    return name
