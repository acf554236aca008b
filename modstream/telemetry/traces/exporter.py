"""Sends spans to a collector by OTLP over HTTP."""

from collections.abc import Sequence
from http.client import HTTPException
from threading import Event
from time import monotonic
from urllib.error import HTTPError

import structlog
from opentelemetry.sdk.trace import ReadableSpan

from modstream.telemetry.traces.collector import Collector
from modstream.telemetry.traces.encoding import serialize

PAUSES = (1.0, 2.0)
"""Seconds before each further attempt."""
TRANSIENT = frozenset({429, 502, 503, 504})
"""Statuses after which OTLP's specification permits a further attempt."""


class SpanExporter:
    """Exports spans; those that the collector does not take are given up.

    The log has one warning when that begins, and one line when the collector answers again. For
    one thread, except `stop`.
    """

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._stopping = Event()
        self._deadline = 0.0
        self._is_failing = False
        self._lost = 0
        self._log = structlog.get_logger(__name__)

    def stop(self, seconds: float) -> None:
        """Make no further attempts, and none at all after some seconds; for any thread."""
        self._deadline = monotonic() + seconds
        self._stopping.set()

    def export(self, spans: Sequence[ReadableSpan]) -> None:
        """Send spans, in several attempts if the collector is away for a moment."""
        try:
            body = serialize(spans)
            for pause in (*PAUSES, None):
                error = self._attempt(body)
                if error is None or not is_transient(error):
                    break
                if pause is None or self._stopping.wait(pause):
                    break
        except Exception as unforeseen:  # noqa: BLE001 - tracing must not end its thread
            error = unforeseen
        self._note(error, len(spans))

    def _attempt(self, body: bytes) -> Exception | None:
        seconds = self._collector.seconds
        if self._stopping.is_set():
            seconds = min(seconds, self._deadline - monotonic())
            if seconds <= 0:
                return TimeoutError("the process ends")
        try:
            self._collector.post(body, seconds)
        except (OSError, HTTPException) as error:
            return error
        return None

    def _note(self, error: Exception | None, count: int) -> None:
        if error is None:
            if self._is_failing:
                self._log.info("traces are sent again", lost_spans=self._lost)
                self._lost = 0
        else:
            self._lost += count
            if not self._is_failing:
                url, cause = self._collector.url, str(error)
                self._log.warning("traces are not sent", collector=url, cause=cause)
        self._is_failing = error is not None


def is_transient(error: Exception) -> bool:
    """Return whether a request that failed may be sent once more."""
    return not isinstance(error, HTTPError) or error.code in TRANSIENT
