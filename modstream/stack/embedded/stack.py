"""Kafka and Redis together, as the demo and the tests use them."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from modstream.stack.embedded.kafka import EmbeddedKafka
from modstream.stack.embedded.redis import EmbeddedRedis
from modstream.stack.embedded.server import EmbeddedServer


class EmbeddedServers:
    """Kafka and Redis with their data in one folder; entering the context waits for both.

    A port of 0 chooses a free one. The data stay in the folder for a later start. Both servers
    inherit `lock`, a file descriptor.
    """

    def __init__(
        self, folder: Path, kafka_port: int = 0, redis_port: int = 0, lock: int | None = None
    ) -> None:
        self.kafka = EmbeddedServer(EmbeddedKafka(folder / "kafka", kafka_port), lock)
        self.redis = EmbeddedServer(EmbeddedRedis(folder / "redis", redis_port), lock)

    @property
    def bootstrap(self) -> str:
        """Kafka's address as `host:port`."""
        return self.kafka.url

    @property
    def redis_url(self) -> str:
        """Redis's address as a URL."""
        return self.redis.url

    def start(self) -> Self:
        """Start both servers in parallel; if one fails, both are stopped.

        Raises:
            StackError: a server cannot be started, as in `EmbeddedServer.start`.
        """
        with ExitStack() as undo:
            for server in (self.redis, self.kafka):
                undo.callback(server.kill)
                server.launch()
            self.redis.wait_ready()
            self.kafka.wait_ready()
            undo.pop_all()
        return self

    def stop(self) -> None:
        """Stop both servers, Kafka first."""
        self.kafka.stop()
        self.redis.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
