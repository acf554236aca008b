"""Metrics of an aggregator, read from its handler."""

from collections.abc import Iterator
from contextlib import suppress

from prometheus_client.core import Metric

from modstream.processors.aggregate.events import EventDecoder
from modstream.processors.aggregate.handler import AggregateHandler
from modstream.processors.errors import StateUnusable
from modstream.telemetry import learning_metrics
from modstream.telemetry.instruments import counter_family, gauge


class AggregatorMetrics:
    """The series of an aggregator; counts go on when it continues with other definitions."""

    def __init__(self) -> None:
        self._handler: AggregateHandler | None = None
        self._decoder: EventDecoder | None = None
        self._events = 0
        self._unreadable = 0

    def watch(self, handler: AggregateHandler, decoder: EventDecoder) -> None:
        """Read another handler and its decoder from now on."""
        if self._handler is not None and self._decoder is not None:
            self._events += self._handler.events
            self._unreadable += self._decoder.unreadable
        self._handler, self._decoder = handler, decoder

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        handler, decoder = self._handler, self._decoder
        events = self._events + (0 if handler is None else handler.events)
        unreadable = self._unreadable + (0 if decoder is None else decoder.unreadable)
        yield counter_family(learning_metrics.AGGREGATOR_EVENTS, {(): float(events)})
        yield counter_family(learning_metrics.AGGREGATOR_UNREADABLE, {(): float(unreadable)})
        if handler is not None:
            with suppress(StateUnusable):  # Its files were closed.
                size = handler.counts.size
                yield gauge(learning_metrics.AGGREGATOR_PARTIALS, size.entries)
                yield gauge(learning_metrics.AGGREGATOR_BYTES, size.estimated_bytes)
