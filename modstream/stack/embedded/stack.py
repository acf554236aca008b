"""Kafka and Redis together, as the demo and the tests stand on them."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from modstream.stack.embedded.kafka import EmbeddedKafka
from modstream.stack.embedded.redis import EmbeddedRedis
from modstream.stack.embedded.server import Server


class Stack:
    """Both servers from one folder; a context that returns when both answer.

    Ports of 0 are chosen. The data stay in the folder, so a later stack goes on from them.
    """

    def __init__(self, folder: Path, kafka_port: int = 0, redis_port: int = 0) -> None:
        self.kafka = Server(EmbeddedKafka(folder / "kafka", kafka_port))
        self.redis = Server(EmbeddedRedis(folder / "redis", redis_port))

    @property
    def bootstrap(self) -> str:
        """Kafka's address as `host:port`."""
        return self.kafka.url

    @property
    def redis_url(self) -> str:
        """Redis's address as a URL."""
        return self.redis.url

    def start(self) -> Self:
        """Start both side by side; if either fails, neither is left.

        Raises:
            StackError: as `Server.start`.
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
        """Stop both, Kafka first: it takes longer to come to rest."""
        self.kafka.stop()
        self.redis.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
