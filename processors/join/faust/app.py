"""The Faust application of the late-label join: wiring only, the join itself is pure.

Faust provides the group membership, the recovery from the changelog and the timer. Its CLI, web
server, serializers, acknowledgements and exactly-once mode are not used.
"""

from collections.abc import Iterable
from time import monotonic

import faust
import structlog
from faust.types import TP
from mode.utils.queues import ThrowableQueue
from yarl import URL

from modstream.broker.client.connection import Connection
from modstream.broker.wire.records import ProducerRecord, TopicPartition
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Topics
from modstream.processors.errors import JoinerError, PartitionCountMismatch, StateUnusable
from modstream.processors.join.entries import MemoryEntries
from modstream.processors.join.entry_store import EntryStore, OffsetRange
from modstream.processors.join.faust.producer import MAX_BATCH_BYTES
from modstream.processors.join.faust.security import faust_credentials
from modstream.processors.join.faust.state import open_stores
from modstream.processors.join.faust.transport import Transport
from modstream.processors.join.faust.waiting_log import WaitingLabelsLog
from modstream.processors.join.joiner import Joiner
from modstream.processors.join.ports import (
    FetchedChunk,
    KeyValue,
    OnJoined,
    Protection,
    ignore_joined,
)
from modstream.processors.join.settings import JoinerSettings

TABLE_NAME = "entries"
MAX_FETCH_BYTES = 256 * 1024
"""Maximum bytes of one fetch from one partition: small, so that the inputs alternate. A larger
record is still fetched."""
CHANGELOG_CONFIG = {
    "max.message.bytes": str(MAX_RECORD_BYTES),
    # Only closed segments are compacted, and a recovery reads every row that is not.
    "segment.bytes": str(64 * 1024 * 1024),
    # A store on disk that is older is not continued: rows that say what has gone may be missing.
    "delete.retention.ms": str(24 * 3600 * 1000),
}
RECOVERY_CHUNKS = 4
"""Number of fetched chunks that are restored at once; with 1, Faust reads the changelog for ever.
"""


class FaustIO:
    """The joiner's Kafka operations, on the clients that Faust opens when it starts."""

    def __init__(self, app: faust.App) -> None:
        self._app = app

    async def send_rows(
        self, topic: str, partition: int, rows: Iterable[KeyValue]
    ) -> OffsetRange | None:
        """Send rows to one partition, wait until they are acknowledged, return their offsets."""
        written: OffsetRange | None = await self._app.producer.send_rows(topic, partition, rows)
        return written

    async def send_records(
        self, topic: str, partition: int, records: Iterable[ProducerRecord]
    ) -> OffsetRange | None:
        """Send records with their headers and timestamps likewise."""
        written: OffsetRange | None
        written = await self._app.producer.send_records(topic, partition, records)
        return written

    def at_end(self, tp: TopicPartition) -> bool:
        """Return whether everything committed in this partition was fetched and processed."""
        return bool(self._app.consumer.at_end(TP(*tp)))

    def set_paused(self, tp: TopicPartition, *, is_paused: bool) -> None:
        """Pause fetching from this partition, or resume it."""
        paused: set[TP] = self._app.transport.paused
        (paused.add if is_paused else paused.discard)(TP(*tp))


class JoinerApp(faust.App):  # type: ignore[misc]
    """A Faust app that does not clear its queues at the end of a recovery.

    Fetching has resumed by then, and records in a cleared queue would never be fetched again. The
    joiner detects chunks from before the recovery by itself: they are not contiguous.
    """

    def FlowControlQueue(  # noqa: N802 - Faust's name
        self,
        maxsize: int | None = None,
        *,
        clear_on_resume: bool = False,
    ) -> ThrowableQueue[object]:
        """Create a queue that only its reader empties."""
        del clear_on_resume
        return super().FlowControlQueue(maxsize, clear_on_resume=False)


class EntryTable(faust.Table):  # type: ignore[misc]
    """A table whose rows are kept by the joiner: Faust recovers them, the joiner writes them.

    A store on disk says how far it has the changelog, and Faust reads the rest.
    """

    def __init__(
        self,
        app: faust.App,
        topics: Topics,
        settings: JoinerSettings,
        protection: Protection | None = None,
        on_joined: OnJoined = ignore_joined,
    ) -> None:
        super().__init__(
            app,
            name=TABLE_NAME,
            partitions=settings.partitions,
            key_type=bytes,
            value_type=bytes,
            extra_topic_configs=CHANGELOG_CONFIG,
            recovery_buffer_size=RECOVERY_CHUNKS,
        )
        self.settings = settings
        changelog, io = self.changelog_topic_name, FaustIO(app)
        self.stores = stores = open_stores(settings, app.conf.id)
        self._changelog_ends: dict[int, OffsetRange] = {}

        def open_store(number: int) -> EntryStore:
            if stores is None:
                return MemoryEntries(settings.horizon_ms, settings.limits)
            return stores.open(number, self._changelog_ends.get(number))

        self.joiner = Joiner(
            topics, settings, changelog, io, protection, on_joined, open_store=open_store
        )
        self._inputs = (topics.predictions, topics.labels)
        self._recovery_started = monotonic(), 0

    async def on_rebalance(self, assigned: set[TP], *changes: object) -> None:
        """Assign the new partitions to the joiner.

        Raises:
            PartitionCountMismatch: an input topic has a different number of partitions.
            StateUnusable: a store on disk cannot be opened.
        """
        await super().on_rebalance(assigned, *changes)
        counts = {topic: self.app.consumer.topic_partitions(topic) for topic in self._inputs}
        if set(counts.values()) != {self.partitions}:
            raise PartitionCountMismatch(counts, self.partitions)
        numbers = {tp.partition for tp in assigned if tp.topic in self._inputs}
        self._recovery_started = monotonic(), self.joiner.restored_rows
        if self.stores is not None:
            self._changelog_ends = await self._read_ends(numbers)
        self.joiner.assign(numbers)

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the offset behind which Faust reads the changelog; None for its beginning.

        The last two rows are read again: the last one is the partition's state row, which says
        whether this is the changelog that the store was written from.
        """
        partition = self.joiner.partitions.get(tp.partition)
        next_offset = None if partition is None else partition.store.next_offset
        return None if next_offset is None else max(next_offset - 2, -1)

    def apply_changelog_batch(self, batch: Iterable[faust.Event]) -> None:
        """Restore rows in changelog order; a row that cannot be read or kept ends the app."""
        try:
            for event in batch:
                self.joiner.restore(event.message.partition, event.message.value.records)
        except (ValueError, JoinerError, StateUnusable) as error:
            # Faust would only log the error and continue without the row.
            self.add_future(self.app.crash(error))
            raise

    async def on_recovery_completed(self, active: set[TP], standby: set[TP]) -> None:
        """Resume the joiner."""
        await super().on_recovery_completed(active, standby)
        self.joiner.resume()
        started, rows = self._recovery_started
        structlog.get_logger(__name__).info(
            "state restored",
            partitions=sorted(self.joiner.partitions),
            changelog_rows=self.joiner.restored_rows - rows,
            seconds=round(monotonic() - started, 2),
        )

    async def _read_ends(self, numbers: Iterable[int]) -> dict[int, OffsetRange]:
        """Return the first and the next offset of each partition's changelog."""
        changelog = {TP(self.changelog_topic_name, number) for number in numbers}
        if not changelog:
            return {}
        starts = await self.app.consumer.earliest_offsets(*changelog)
        ends = await self.app.consumer.highwaters(*changelog)
        return {tp.partition: OffsetRange(starts[tp], ends[tp]) for tp in changelog}


def build_app(
    connection: Connection,
    topics: Topics,
    settings: JoinerSettings,
    protection: Protection | None = None,
    on_joined: OnJoined = ignore_joined,
) -> faust.App:
    """Build the joiner of one stream as a Faust app, for `run.run_app`."""
    app = _create_app(connection, topics, settings)
    entries = EntryTable(app, topics, settings, protection, on_joined)
    app.tables.add(entries)
    app.transport = Transport(app.conf.broker_consumer, app)
    app.transport.set_position_source(entries.joiner.durable_positions)
    inputs = app.topic(topics.predictions, topics.labels, value_serializer="raw", acks=False)

    @app.agent(inputs, name="join")  # type: ignore[untyped-decorator]
    async def join(chunks: faust.Stream[FetchedChunk]) -> None:
        async for event in chunks.events():
            await entries.joiner.process(TopicPartition(*event.message.tp), event.message.value)

    warnings = WaitingLabelsLog()

    @app.timer(interval=settings.timer_interval_seconds)  # type: ignore[untyped-decorator]
    async def advance_time() -> None:
        await entries.joiner.advance_time()
        warnings.note(entries.joiner.waiting_labels, monotonic())

    @app.on_partitions_revoked.connect(weak=False)  # type: ignore[untyped-decorator]
    async def on_revoked(*_: object, **__: object) -> None:
        await entries.joiner.suspend()
        await app.consumer.commit()

    return app


def _create_app(connection: Connection, topics: Topics, settings: JoinerSettings) -> faust.App:
    compression = connection.compression
    return JoinerApp(
        topics.group("joiner"),
        broker=[URL(f"kafka://{server}") for server in connection.bootstrap.split(",")],
        broker_credentials=faust_credentials(connection.options),
        broker_commit_interval=1.0,
        broker_max_poll_records=settings.max_records,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance_id,
        consumer_max_fetch_size=MAX_FETCH_BYTES,
        producer_compression_type=None if compression == "none" else compression,
        producer_max_batch_size=MAX_BATCH_BYTES,
        producer_max_request_size=MAX_RECORD_BYTES,
        # The buffered items are chunks, not records.
        stream_buffer_maxsize=16,
        stream_wait_empty=False,
        store="memory://",
        table_standby_replicas=0,
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        topic_disable_leader=True,
        datadir=str(settings.data_dir),
        # A restarted agent would skip the batch that failed.
        agent_supervisor="mode.CrashingSupervisor",
        web_enabled=False,
    )
