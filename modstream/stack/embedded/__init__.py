"""A Kafka broker and a Redis-compatible server as child processes, without containers."""

from modstream.stack.embedded.kafka import ClusterNode, EmbeddedKafka
from modstream.stack.embedded.redis import EmbeddedRedis
from modstream.stack.embedded.server import EmbeddedServer, ServerSpec
from modstream.stack.embedded.stack import EmbeddedServers

__all__ = [
    "ClusterNode",
    "EmbeddedKafka",
    "EmbeddedRedis",
    "EmbeddedServer",
    "EmbeddedServers",
    "ServerSpec",
]
