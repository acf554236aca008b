"""What producers need of a broker: somewhere to send to, somewhere to read answers from."""

from collections.abc import Callable
from typing import Protocol

from modstream.broker.client.publisher import Delivered
from modstream.broker.wire.records import Outgoing, Record


class Sink(Protocol):
    """Takes records, as `modstream.broker.client.publisher.Publisher` does."""

    def send(
        self, outgoing: Outgoing, delivered: Callable[[Delivered], None] | None = None
    ) -> None:
        """Enqueue one record; may block while the way out is full."""

    def flush(self, timeout: float = ...) -> None:
        """Wait until all of them are acknowledged; raises DeliveryFailed."""


class Source(Protocol):
    """Gives records, as `modstream.broker.client.reader.Reader` does."""

    def poll(self, timeout: float = ..., most: int = ...) -> list[Record]:
        """Up to `most` records; fewer, or none, after `timeout` seconds."""


def arrivals(source: Source, timeout: float) -> list[Record]:
    """What has arrived, as soon as something has; nothing after `timeout` seconds.

    A poll for many records waits for many: asking for one first keeps that wait out of every
    latency that is measured behind it.
    """
    first = source.poll(timeout=timeout, most=1)
    return first + source.poll(timeout=0.0, most=1000) if first else first
