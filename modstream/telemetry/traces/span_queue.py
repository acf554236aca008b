"""The queue of ended spans, which a thread of its own exports.

The SDK's own processor bounds the number of spans only, and a span of a batch may have 10,000
links. It also waits for the exporter when it stops, however long that takes.
"""

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Condition, Thread
from time import monotonic

import structlog
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from modstream.telemetry.traces.batch_spans import BatchSpan

SPAN_BYTES = 512
"""Estimated size of a span without links."""
MAX_QUEUE_BYTES = 16 * 1024 * 1024
MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Maximum estimated size of the spans that are exported together."""
Export = Callable[[Sequence[ReadableSpan]], None]


class SpanQueue(SpanProcessor):
    """Takes ended spans; one that finds the queue full is dropped. `on_end` never waits.

    The variables `OTEL_BSP_SCHEDULE_DELAY` (ms), `OTEL_BSP_MAX_QUEUE_SIZE` and
    `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` (spans) apply as they do to the SDK's own processor.

    Attributes:
        dropped: the number of spans that were dropped.
    """

    def __init__(self, export: Export, environment: Mapping[str, str] = os.environ) -> None:
        """Start the thread that exports.

        Args:
            export: sends spans, or gives them up; it does not raise.
            environment: has the variables.
        """
        self._export = export
        self._delay = _number(environment, "OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000
        self._max_spans = _number(environment, "OTEL_BSP_MAX_QUEUE_SIZE", 2048)
        self._max_together = _number(environment, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)
        self._spans: deque[ReadableSpan] = deque()
        self._bytes = 0
        self._changed = Condition()
        self._is_exporting = self._is_closed = self._is_flushing = False
        self.dropped = self._reported = 0
        # A daemon, since a collector that does not answer must not keep the process.
        self._thread = Thread(target=self._run, name="trace-export", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, if it is sampled and there is room."""
        context = span.get_span_context()
        if context is None or not context.trace_flags.sampled:
            return
        size = size_of(span)
        with self._changed:
            is_full = len(self._spans) >= self._max_spans
            if self._is_closed or is_full or self._bytes + size > MAX_QUEUE_BYTES:
                self.dropped += 1
                return
            self._spans.append(span)
            self._bytes += size
            if len(self._spans) >= self._max_together or self._bytes >= MAX_REQUEST_BYTES:
                self._changed.notify_all()

    def force_flush(self, timeout_millis: int | None = 30_000) -> bool:
        """Export what is in the queue; return whether that was done in time."""
        seconds = None if timeout_millis is None else timeout_millis / 1000
        with self._changed:
            self._is_flushing = True
            self._changed.notify_all()
            return self._changed.wait_for(self._is_idle, seconds)

    def close(self, seconds: float) -> bool:
        """Export what is in the queue and end the thread; return whether that was done in time.

        Spans that end from now on are dropped.
        """
        deadline = monotonic() + seconds
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(max(0.0, deadline - monotonic()))
        return not self._thread.is_alive()

    def _is_idle(self) -> bool:
        return not self._spans and not self._is_exporting

    def _is_due(self) -> bool:
        return (
            self._is_closed
            or self._is_flushing
            or len(self._spans) >= self._max_together
            or self._bytes >= MAX_REQUEST_BYTES
        )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._is_due, self._delay)
                spans = self._take()
                if not spans:
                    self._is_flushing = False
                    self._report_drops()
                    self._changed.notify_all()
                    if self._is_closed:
                        return
                    continue
                self._is_exporting = True
            self._export(spans)
            with self._changed:
                self._is_exporting = False

    def _report_drops(self) -> None:
        """Log the spans that were dropped since the queue was empty before."""
        if self.dropped > self._reported:
            count, self._reported = self.dropped - self._reported, self.dropped
            log = structlog.get_logger(__name__)
            log.warning("spans dropped", count=count, reason="they end faster than they are sent")

    def _take(self) -> list[ReadableSpan]:
        """Remove the oldest spans, as many as are exported together."""
        taken: list[ReadableSpan] = []
        size = 0
        while self._spans and len(taken) < self._max_together and size < MAX_REQUEST_BYTES:
            span = self._spans.popleft()
            size += size_of(span)
            taken.append(span)
        self._bytes -= size
        return taken


def size_of(span: ReadableSpan) -> int:
    """Return the estimated size of a span in bytes."""
    links = len(span.contexts.encoded) if isinstance(span, BatchSpan) else 0
    return SPAN_BYTES + links


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and int(text) else default
