"""Records of one word each, for tests to which nothing else matters."""

from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.records import Outgoing


def publish(connection, topic, words):
    """Each word as a record under itself as key; returns when all are acknowledged."""
    with Publisher(connection) as publisher:
        for word in words:
            publisher.send(Outgoing(topic, word, word))
        publisher.flush()
