"""All figures that are computed from a stream's records. Pure, and safe for several threads."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TypeVar

from modstream.audit.names import NameTable
from modstream.broker.loop.isolation import is_fault
from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.dashboard.joiner_figures import JoinerFigures
from modstream.dashboard.pipeline_views import NewestAnswers
from modstream.dashboard.quality import QualityFigures
from modstream.dashboard.set_aside import SetAside
from modstream.dashboard.stream_counts import StreamCounts
from modstream.dashboard.timeline import Timelines
from modstream.dashboard.window import HISTORY_MS, history_start

T = TypeVar("T")


def counted_topics(topics: Topics) -> tuple[str, ...]:
    """Return the topics whose records of the history are read."""
    return (
        topics.requests,
        topics.predictions,
        topics.dlq,
        topics.labels,
        topics.unjoined,
        topics.quarantine,
        topics.metrics,
    )


class StreamFigures:
    """A fold over a stream's records: one thread adds them while others read the figures.

    Records may be added in any order, each once. An unreadable record is counted in `unreadable`.
    """

    def __init__(self, topics: Topics, route: Sequence[str]) -> None:
        models = NameTable(route)
        self._topics = topics
        self._lock = Lock()
        self.counts = StreamCounts(topics, models)
        self.quality = QualityFigures(models)
        self.joiner = JoinerFigures(models)
        self.set_aside = SetAside(topics)
        self.timelines = Timelines(models)
        self.answers = NewestAnswers()
        self.records = 0
        self.unreadable = 0
        self._start = self._end = -1

    def add(self, records: Sequence[Record], now: int) -> None:
        """Add records at `now` (ms)."""
        with self._lock:
            self._begin(now)
            self.counts.add(records)
            for record in records:
                try:
                    self._add(record)
                except BaseException as error:
                    if not is_fault(error):
                        raise
                    self.unreadable += 1
            self.records += len(records)

    def add_earlier(self, records: Sequence[Record]) -> None:
        """Add requests from before the history, for the latency of answers within it."""
        with self._lock:
            self.counts.add_earlier(records)

    def read(self, view: Callable[["StreamFigures"], T], now: int) -> T:
        """Return `view` of the figures at `now` (ms), while no record is added."""
        with self._lock:
            self._begin(now)
            return view(self)

    def _begin(self, now: int) -> None:
        start = history_start(now)
        if start == self._start:
            return
        self._start, self._end = start, now + HISTORY_MS
        self.counts.begin(now)
        self.set_aside.forget_before(start)
        self.quality.forget_before(start)

    def _add(self, record: Record) -> None:
        topics = self._topics
        if record.topic == topics.model_events:
            self.timelines.add(record)
        elif not self._start <= record.timestamp <= self._end:
            return
        elif record.topic == topics.predictions:
            self.answers.add(record)
        elif record.topic == topics.metrics:
            metrics = decode(Metrics, record.value)
            self.quality.add(record, metrics)
            self.joiner.add(record, metrics)
        else:
            self.set_aside.add(record)
