"""Whether a request lies at another place than the one that was acknowledged, too."""

import pytest

from broker.admin import Admin
from broker.connection import Connection
from broker.names import TopicSpec
from modstream.verify.sightings import Place
from modstream.verify.witness import copies_among
from tests.words import publish

pytestmark = pytest.mark.real

REQUEST = b'{"id":"a","features":{}}'


def test_copies_are_those_whose_record_bears_the_id(bootstrap, prefix):
    connection, topic = Connection(bootstrap), f"{prefix}requests"
    Admin(connection).create([TopicSpec(topic, 1)])
    publish(connection, topic, [REQUEST, b"rubbish", REQUEST])

    named = [("a", Place(0, 0)), ("a", Place(0, 1)), ("b", Place(0, 2)), ("a", Place(0, 2))]

    assert copies_among(connection, topic, named) == {("a", Place(0, 0)), ("a", Place(0, 2))}
    assert copies_among(connection, topic, []) == set()
