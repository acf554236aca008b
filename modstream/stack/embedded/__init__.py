"""A real Kafka and a real Redis-compatible server as child processes, without containers."""

from modstream.stack.embedded.kafka import EmbeddedKafka, Seat
from modstream.stack.embedded.redis import EmbeddedRedis
from modstream.stack.embedded.server import Recipe, Server
from modstream.stack.embedded.stack import Stack

__all__ = ["EmbeddedKafka", "EmbeddedRedis", "Recipe", "Seat", "Server", "Stack"]
