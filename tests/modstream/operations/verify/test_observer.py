"""Search for copies of a request at other positions than the acknowledged one."""

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.wire.topics import TopicSpec
from modstream.operations.verify.observer import find_copies
from modstream.operations.verify.outcomes import PartitionOffset
from tests.sample_records import publish

pytestmark = pytest.mark.real

REQUEST = b'{"id":"a","features":{}}'


def test_copies_are_the_records_that_hold_the_id(bootstrap, prefix):
    connection, topic = Connection(bootstrap), f"{prefix}requests"
    Admin(connection).create([TopicSpec(topic, 1)])
    publish(connection, topic, [REQUEST, b"rubbish", REQUEST])

    candidates = [
        ("a", PartitionOffset(0, 0)),
        ("a", PartitionOffset(0, 1)),
        ("b", PartitionOffset(0, 2)),
        ("a", PartitionOffset(0, 2)),
    ]

    assert find_copies(connection, topic, candidates) == {
        ("a", PartitionOffset(0, 0)),
        ("a", PartitionOffset(0, 2)),
    }
    assert find_copies(connection, topic, []) == set()
