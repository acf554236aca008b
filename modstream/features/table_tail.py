"""Copies of a topic of features on disk: opened by the settings, and kept up to date."""

from pathlib import Path
from threading import Event
from typing import Self

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader
from modstream.features.recovery import feature_partition, polls_to_present
from modstream.processors.aggregate.disk.open_table import TopicState, open_table
from modstream.processors.aggregate.disk.rows import RowOrder
from modstream.processors.aggregate.disk.table import FeatureTable
from modstream.settings import Settings

FOLDER = "features"
"""Name of the folder of all copies in a home directory."""
ADVANCE_RECORDS = 2000
"""How many records are applied at once."""
WAIT_SECONDS = 0.1


def open_copy(settings: Settings, process: str, order: RowOrder) -> FeatureTable:
    """Open a process's copy of its stream's features, in the home directory.

    Raises:
        StateUnusable: the folder cannot be read or written, or another process uses it.
    """
    topic = settings.topics().features
    folder = settings.home / FOLDER / topic / process
    return open_table(folder, order, topic_state(settings.connection, topic))


def open_temporary_copy(settings: Settings, folder: Path, order: RowOrder) -> FeatureTable:
    """Return an empty copy in a folder."""
    topic = settings.topics().features
    return open_table(folder, order, topic_state(settings.connection, topic))


def topic_state(connection: Connection, topic: str) -> TopicState:
    """Return the identity and the offsets of a topic of features."""
    admin, partition = Admin(connection), feature_partition(topic)
    end = admin.end_offsets([topic])[partition]
    return TopicState(admin.topic_id(topic), admin.first_offsets([topic])[partition], end)


class TableTail:
    """Reads the topic of features from where a copy ends, and applies it to the copy."""

    def __init__(
        self, connection: Connection, topic: str, table: FeatureTable, stop: Event
    ) -> None:
        self._connection, self._topic, self._table, self._stop = connection, topic, table, stop
        start = {feature_partition(topic): table.offset}
        self._reader = Reader(connection, [topic], start)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def advance(self, *, wait: bool) -> None:
        """Apply what has arrived; with `wait`, and nothing there, wait a moment for the next."""
        timeout = WAIT_SECONDS if wait else 0.0
        records = self._reader.poll(timeout, ADVANCE_RECORDS)
        while records:
            self._table.apply(records)
            records = self._reader.poll(0.0, ADVANCE_RECORDS)
        self._table.confirm()

    def catch_up(self, *, committed: bool = False) -> None:
        """Apply all that is committed now, and what becomes of transactions that are open now.

        With `committed`, no transaction is awaited.
        """
        asked = self._connection, self._reader, self._topic
        for records in polls_to_present(*asked, self._stop, committed=committed):
            self._table.apply(records)
