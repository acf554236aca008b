"""Reads a stream for the dashboard: follows its topics, and reads its history backwards."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Event
from time import monotonic, time

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.errors import BrokerError
from modstream.broker.wire.records import Offsets, TopicPartition, next_offsets
from modstream.broker.wire.topics import Topics
from modstream.dashboard.figures import StreamFigures, counted_topics
from modstream.dashboard.history_plan import Slice, plan_slices
from modstream.dashboard.latency import MAX_PENDING
from modstream.dashboard.snapshots import History
from modstream.dashboard.window import HISTORY_MS, history_start

POLL_INTERVAL_S = 0.25
"""Time between two polls of the topics that are followed."""
MAX_POLL_RECORDS = 10_000
SLICE_MS = 600_000
"""Time of the history that is read at once, or more if it has few records."""
EARLIER_MS = 600_000
MAX_EARLIER = 20_000
"""Requests from before the history that are read for the latency of answers within it: those of
this time (ms), and at most so many of a partition."""


@dataclass(slots=True)
class HistoryProgress:
    """What is still to be read of the history, the newest first.

    `earlier` are requests from before it. `complete_from` is the time (ms) since which all records
    are counted.
    """

    slices: list[Slice]
    earlier: Slice
    complete_from: int


@dataclass(slots=True)
class HistoryReader:
    """Adds a stream's records to figures, each once: those of the last hours, then all new ones.

    `run` is the target of one background thread, and may be called again after a BrokerError: it
    continues where it was. The other members may be read by any thread. The topic of model events
    is read from its beginning, and so are partitions that were added meanwhile.

    Attributes:
        has_more_than: returns whether topics have more partitions than those that are followed.
        error: why the topics cannot be read now, None if they can.
    """

    connection: Connection
    topics: Topics
    figures: StreamFigures
    has_more_than: Callable[[Collection[TopicPartition]], bool] = lambda _: False
    error: BrokerError | None = None
    _progress: HistoryProgress | None = None
    _positions: dict[TopicPartition, int] = field(default_factory=dict)
    _next_poll: float = 0.0

    def run(self, stop: Event) -> None:
        """Read until `stop` is set.

        Raises:
            BrokerError: reading failed.
        """
        try:
            self._run(stop)
        except BrokerError as error:
            self.error = error
            raise

    @property
    def unread_slices(self) -> int:
        """The number of slices of the history that are still to be read; -1 before the plan."""
        return -1 if self._progress is None else len(self._progress.slices)

    def history(self, now: int) -> History:
        """Return how far the figures reach back at `now` (ms)."""
        progress, start = self._progress, history_start(now)
        complete_from = now if progress is None else progress.complete_from
        return History(
            wanted_from=start,
            complete_from=max(start, complete_from),
            is_complete=progress is not None and not progress.slices,
            records=self.figures.records,
            left_out=self.figures.counts.left_out,
            unreadable=self.figures.unreadable,
        )

    def _run(self, stop: Event) -> None:
        if self._progress is None:
            self._progress = self._plan(int(time() * 1000))
        names = (*counted_topics(self.topics), self.topics.model_events)
        while not stop.is_set():
            with Reader(self.connection, names, self._positions) as live:
                self.error = None
                self._read_history(self._progress, live, stop)
                while not stop.wait(POLL_INTERVAL_S) and not self.has_more_than(live.partitions):
                    self._follow(live)

    def _plan(self, now: int) -> HistoryProgress:
        """Plan the history before the present ends of the topics, from which they are followed."""
        admin, names = Admin(self.connection), counted_topics(self.topics)
        # Up to the last stable offsets: what an open transaction has written is followed.
        ends = admin.end_offsets(names, committed=True)
        start = history_start(now)
        times = range(start, start + HISTORY_MS, SLICE_MS)
        starts = [(at, admin.offsets_since(names, at)) for at in times]
        slices = plan_slices(starts, ends)
        densest = max(
            sum(stop - first for first, stop in one.of_topic(self.topics.requests).values())
            for one in slices
        )
        self.figures.counts.sample(max(1, -(-densest // MAX_PENDING)))
        earlier = self._earlier(admin, start, starts[0][1])
        self._positions = dict(ends)
        return HistoryProgress(slices, earlier, now)

    def _earlier(self, admin: Admin, start: int, stops: Offsets) -> Slice:
        """Return the requests from right before the history."""
        since = admin.offsets_since([self.topics.requests], start - EARLIER_MS)
        firsts = {one: max(first, stops[one] - MAX_EARLIER) for one, first in since.items()}
        ranges = {one: (first, stops[one]) for one, first in firsts.items() if first < stops[one]}
        return Slice(start, ranges)

    def _read_history(self, progress: HistoryProgress, live: Reader, stop: Event) -> None:
        while progress.slices and not stop.is_set():
            one = progress.slices[0]
            for topic in one.topics():
                self._read_topic(one, topic, live, stop)
            if not one.ranges:
                progress.complete_from = one.start
                if len(progress.slices) == 1:
                    self._read_topic(progress.earlier, self.topics.requests, live, stop)
                del progress.slices[0]

    def _read_topic(self, one: Slice, topic: str, live: Reader, stop: Event) -> None:
        """Read what a slice has of a topic, and meanwhile follow the topics."""
        ranges = one.of_topic(topic)
        if not ranges:
            return
        is_earlier = self._progress is not None and one is self._progress.earlier
        firsts = {partition: first for partition, (first, _) in ranges.items()}
        with Reader(self.connection, [topic], firsts, only=ranges.keys()) as reader:
            while one.of_topic(topic) and not reader.at_end():
                if stop.is_set():
                    return
                records = one.select(reader.poll(0.1, MAX_POLL_RECORDS))
                if is_earlier:
                    self.figures.add_earlier(records)
                else:
                    self.figures.add(records, int(time() * 1000))
                if monotonic() >= self._next_poll:
                    self._follow(live)
        one.note_topic(topic)

    def _follow(self, live: Reader) -> None:
        records = live.poll(0.0, MAX_POLL_RECORDS)
        self._next_poll = monotonic() + POLL_INTERVAL_S
        if records:
            self.figures.add(records, int(time() * 1000))
            self._positions |= next_offsets(records)
