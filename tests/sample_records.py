"""Records of one word each, for tests that need no other content."""

from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.records import ProducerRecord


def publish(connection, topic, words):
    """Publish each word as a record with itself as key; wait until all are acknowledged."""
    with Publisher(connection) as publisher:
        for word in words:
            publisher.send(ProducerRecord(topic, word, word))
        publisher.flush()
