"""Reads the newest feedback of a stream, and computes what is monitored, in the background."""

from collections.abc import Callable, Collection, Mapping
from threading import Event
from time import monotonic, time

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.errors import DecodeError
from modstream.broker.wire.feedback_codec import FeedbackDecoder
from modstream.broker.wire.records import Offsets, Record, TopicPartition, next_offsets
from modstream.broker.wire.topics import Topics
from modstream.dashboard.labelled_rows import MAX_ROWS, LabelledRows
from modstream.dashboard.monitoring_views import monitoring_views
from modstream.dashboard.snapshots import MonitoringView
from modstream.models.evaluation.version_classes import VersionClasses

POLL_INTERVAL_S = 0.5
MAX_POLL_RECORDS = 1000
"""Few records at once, so that threads that answer pages wait for milliseconds only."""
MIN_PAUSE_S = 15.0
"""Time between two computations."""
MAX_SHARE = 0.05
"""Share of the time that is spent on computations: a long one is followed by a longer pause."""


class MonitoringReader:
    """Follows a stream's feedback and computes what is monitored of its models.

    `run` is the target of one background thread, and may be called again after a BrokerError: it
    continues where it was. Reading begins with the newest `MAX_ROWS` records, and pauses while
    `can_score` says that the classes of versions cannot be looked up. `latest` and `number` may be
    read by any thread; the number grows with each computation.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        versions: VersionClasses,
        has_more_than: Callable[[Collection[TopicPartition]], bool] = lambda _: False,
        can_score: Callable[[], bool] = lambda: True,
    ) -> None:
        self._connection = connection
        self._topic = topics.feedback
        self._has_more_than = has_more_than
        self._can_score = can_score
        self._rows = LabelledRows(versions)
        self._decoder = FeedbackDecoder()
        self._positions: Offsets = {}
        self._is_current = False
        self._computed = 0
        self._next = 0.0
        self.latest: Mapping[str, MonitoringView] = {}
        self.number = 0

    def run(self, stop: Event) -> None:
        """Read and compute until `stop` is set.

        Raises:
            BrokerError: reading failed.
        """
        if not self._positions:
            self._positions = self._newest_positions()
        while not stop.is_set():
            with Reader(self._connection, [self._topic], self._positions) as reader:
                while not stop.is_set() and not self._has_more_than(reader.partitions):
                    count = self._read(reader) if self._can_score() else 0
                    # The pause lets other threads go on while many records are read.
                    stop.wait(POLL_INTERVAL_S if count < MAX_POLL_RECORDS else 0.01)

    def _read(self, reader: Reader) -> int:
        """Add the next records, and compute if it is time; return the number of records."""
        records = reader.poll(0.0, MAX_POLL_RECORDS)
        self._add(records)
        # After a start, not before the newest records are in.
        self._is_current = self._is_current or reader.at_end()
        if self._is_current and monotonic() >= self._next:
            self._compute()
        return len(records)

    def _newest_positions(self) -> Offsets:
        """Return where to begin, so that about `MAX_ROWS` records are read."""
        admin = Admin(self._connection)
        first, ends = admin.first_offsets([self._topic]), admin.end_offsets([self._topic])
        each = -(-MAX_ROWS // len(ends))
        return {one: max(first[one], end - each) for one, end in ends.items()}

    def _add(self, records: list[Record]) -> None:
        for record in records:
            try:
                self._rows.add(self._decoder.decode(record.value))
            except DecodeError:
                continue
        self._positions = {**self._positions, **next_offsets(records)}

    def _compute(self) -> None:
        if self._rows.changes == self._computed:
            return
        started, self._computed = monotonic(), self._rows.changes
        self.latest = monitoring_views(self._rows, int(time() * 1000))
        self.number += 1
        took = monotonic() - started
        self._next = monotonic() + max(MIN_PAUSE_S, took / MAX_SHARE)
