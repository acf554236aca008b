"""A real Kafka and a real Redis-compatible server as child processes, without containers."""

from modstream.embedded.kafka import EmbeddedKafka, Seat
from modstream.embedded.redis import EmbeddedRedis
from modstream.embedded.server import Recipe, Server
from modstream.embedded.stack import Stack

__all__ = ["EmbeddedKafka", "EmbeddedRedis", "Recipe", "Seat", "Server", "Stack"]
