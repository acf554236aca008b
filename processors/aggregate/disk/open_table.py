"""Opening a copy of a topic of features: it is continued, or built anew from the topic."""

from collections.abc import Callable
from pathlib import Path
from time import time
from typing import NamedTuple

import msgspec
import structlog

from modstream.processors.aggregate.disk.rows import PROGRESS, RowOrder
from modstream.processors.aggregate.disk.table import FeatureTable, TableProgress
from modstream.processors.errors import StateDamaged
from modstream.processors.storage.database import Database, SharedMemory
from modstream.processors.storage.progress import progress_to_continue
from modstream.processors.storage.store_folder import StoreFolder

FORMAT = 1
"""The version of the rows; copies of another one are built anew."""
MAX_AGE_S = 20 * 3600
"""How long ago a copy may have been known to have all of its topic. Compaction removes tombstones
after `delete.retention.ms`, 24 hours: an older copy might keep rows for ever that have expired."""
_PROGRESS = msgspec.json.Decoder(TableProgress)


class TopicState(NamedTuple):
    """Kafka's id of a topic of features, its first offset, and its next one."""

    id: str
    first: int
    end: int


def open_table(
    folder: Path, order: RowOrder, topic: TopicState, clock: Callable[[], float] = time
) -> FeatureTable:
    """Open the copy in a folder; one that cannot be continued is removed, and the log says why.

    Raises:
        StateInUse: another process has it open.
        StateUnusable: the folder cannot be read or written.
    """
    store, log = StoreFolder(folder), structlog.get_logger(__name__).bind(folder=str(folder))
    reason = "" if store.is_empty else store.damage()
    if not store.is_empty and not reason:
        try:
            opened = _reopen(store, order, topic, clock)
        except StateDamaged as error:
            opened = error.reason
        if isinstance(opened, FeatureTable):
            log.info("copy of the stream's features opened", offset=opened.offset, end=topic.end)
            return opened
        reason = opened
    if reason:
        log.warning("the copy of the stream's features is built anew", reason=reason)
    store.clear()
    database = Database(store.database, SharedMemory(), order.prefix_bytes)
    progress = TableProgress(topic.id, order.name, FORMAT)
    table = FeatureTable(database, order, progress, clock)
    table.apply(())
    return table


def _reopen(
    store: StoreFolder, order: RowOrder, topic: TopicState, clock: Callable[[], float]
) -> FeatureTable | str:
    """Return a copy that can be continued, or why it cannot be."""
    database = Database(store.database, SharedMemory(), order.prefix_bytes)
    found = progress_to_continue(
        database,
        PROGRESS,
        _PROGRESS.decode,
        lambda progress: _reason_to_rebuild(progress, order, topic, clock()),
        msgspec.MsgspecError,
    )
    return found if isinstance(found, str) else FeatureTable(database, order, found, clock)


def _reason_to_rebuild(
    progress: TableProgress, order: RowOrder, topic: TopicState, now: float
) -> str:
    """Return why a copy cannot be continued from its topic; empty if it can be."""
    if (progress.format, progress.order) != (FORMAT, order.name):
        return f"it has the format {progress.format} {progress.order} of another version"
    if progress.topic_id != topic.id:
        return "it was made from another topic of this name"
    if not topic.first <= progress.offset <= topic.end:
        return (
            f"it ends at the offset {progress.offset}, and the topic has {topic.first} to"
            f" {topic.end}"
        )
    if not -MAX_AGE_S < now - progress.confirmed_at < MAX_AGE_S:
        return f"it is more than {MAX_AGE_S // 3600} hours old: tombstones may be missing"
    return ""
