"""The speed layer and the merge: what a batch view does not count yet, read from the topic.

The topic is read from the offsets of the view on. Records below them are left out, wherever a
client begins to read; so each record is counted by one of the two layers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Protocol

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.broker.errors import DecodeError
from modstream.broker.wire.records import Offsets, Record, TopicPartition
from modstream.errors import ViewUnusable
from modstream.operations.batch_views.state_queries import StateQueries
from modstream.operations.batch_views.view_file import ViewFile
from modstream.operations.inference_log.erasures import Erasures
from modstream.operations.inference_log.log_export import ANSWERED, ID, KEY
from modstream.operations.inference_log.log_rows import LogRow, rows_of
from modstream.operations.inference_log.parquet_files import log_table

MAX_ROWS = 20_000
"""Rows that are kept in memory before they are added to the states."""
POLL_SECONDS = 0.2
IDLE_SECONDS = 30.0
"""Time without a record after which a topic that has not ended is given up."""


class RecordSource(Protocol):
    """Where the newest records are read from; `Reader` is one."""

    def poll(self, timeout: float, max_records: int) -> list[Record]:
        """Return the next records, after at most `timeout` seconds."""

    @property
    def positions(self) -> Offsets:
        """The next offset of each partition; negative for one that was not read yet."""


class MergedView:
    """A batch view and the records since, as one. One thread may use it."""

    def __init__(
        self, view: ViewFile, source: RecordSource, ends: Callable[[], Offsets], erased: Erasures
    ) -> None:
        self.view = view
        self.speed_rows = 0
        """The number of rows that were added to those of the view."""
        self.unreadable = 0
        self._source = source
        self._ends = ends
        self._erased = erased
        self._queries = StateQueries(view.name, view.head.definition)
        self._states = view.states

    def refresh(self) -> None:
        """Add the records up to the present end of the topic.

        Raises:
            ViewUnusable: the definition cannot be computed, or the topic cannot be read to its end.
            BrokerError: the topic cannot be read.
        """
        ends, rows, due = self._ends(), list[LogRow](), monotonic() + IDLE_SECONDS
        while not self._has_reached(ends):
            records = self._source.poll(POLL_SECONDS, MAX_ROWS)
            for record in records:
                rows += self._new_rows(record)
            if len(rows) >= MAX_ROWS:
                self._add(rows)
                rows = []
            if records:
                due = monotonic() + IDLE_SECONDS
            elif monotonic() > due:
                raise ViewUnusable(self.view.name, "the topic could not be read to its end")
        self._add(rows)

    def values(self) -> list[dict[str, Any]]:
        """Return the figures of all groups, in their order."""
        found: list[dict[str, Any]] = self._queries.values(self._states).to_pylist()
        return found

    def _new_rows(self, record: Record) -> list[LogRow]:
        """Return the rows of a record, none of one that the view counts already."""
        if record.offset < self.view.head.offsets.get(record.partition, 0):
            return []
        try:
            rows = list(rows_of(record))
        except DecodeError:
            self.unreadable += 1
            return []
        return [
            row
            for row in rows
            if not self._erased.include(row.cells[ID], row.cells[KEY], row.cells[ANSWERED])
        ]

    def _add(self, rows: list[LogRow]) -> None:
        if rows:
            states = self._queries.of_rows(log_table(rows))
            self._states = self._queries.merge(self._states, states)
            self.speed_rows += len(rows)

    def _has_reached(self, ends: Offsets) -> bool:
        positions, counted = self._source.positions, self.view.head.offsets
        return all(
            max(positions.get(one, -1), counted.get(one.partition, 0)) >= end
            for one, end in ends.items()
        )


@contextmanager
def open_merged(connection: Connection, view: ViewFile, erased: Erasures) -> Iterator[MergedView]:
    """Open a batch view and the topic behind it.

    Raises:
        ViewUnusable: records behind the view have expired, or the topic was created again.
        TopicMissing: there is no such topic.
        BrokerError: the topic cannot be read.
    """
    head, admin = view.head, Admin(connection)
    check_continuation(
        view, admin.first_offsets([head.topic]), admin.end_offsets([head.topic], committed=True)
    )
    start = {TopicPartition(head.topic, one): offset for one, offset in head.offsets.items()}
    with Reader(connection, [head.topic], start) as reader:
        yield MergedView(
            view, reader, lambda: admin.end_offsets([head.topic], committed=True), erased
        )


def check_continuation(view: ViewFile, firsts: Offsets, ends: Offsets) -> None:
    """Raise unless the topic has all records behind a view.

    Raises:
        ViewUnusable: some have expired, or the topic was created again.
    """
    for one, end in ends.items():
        offset = view.head.offsets.get(one.partition, 0)
        if offset > end:
            reason = f"it counts {one} up to {offset:,}, and the topic ends at {end:,}"
            raise ViewUnusable(view.name, f"{reason}: the topic was created anew")
        if firsts.get(one, 0) > offset:
            reason = f"records of {one} behind offset {offset:,} have expired"
            raise ViewUnusable(view.name, f"{reason}: export the log and build the view again")
