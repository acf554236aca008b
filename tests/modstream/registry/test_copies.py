"""Whether a request lies at another place than the one that was acknowledged, too."""

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.wire.topics import TopicSpec
from modstream.operations.verify.observer import copies_among
from modstream.operations.verify.outcomes import Place
from tests.sample_records import publish

pytestmark = pytest.mark.real

REQUEST = b'{"id":"a","features":{}}'


def test_copies_are_those_whose_record_bears_the_id(bootstrap, prefix):
    connection, topic = Connection(bootstrap), f"{prefix}requests"
    Admin(connection).create([TopicSpec(topic, 1)])
    publish(connection, topic, [REQUEST, b"rubbish", REQUEST])

    named = [("a", Place(0, 0)), ("a", Place(0, 1)), ("b", Place(0, 2)), ("a", Place(0, 2))]

    assert copies_among(connection, topic, named) == {("a", Place(0, 0)), ("a", Place(0, 2))}
    assert copies_among(connection, topic, []) == set()
