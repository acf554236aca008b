"""The Faust application of the late-label join: wiring only, the join itself is pure.

Faust provides the group membership, the recovery from the changelog and the timer. Its CLI, web
server, serializers, acknowledgements and exactly-once mode are not used.
"""

from collections.abc import Iterable
from time import monotonic

import faust
from faust.types import TP
from mode.utils.queues import ThrowableQueue
from yarl import URL

from modstream.broker.client.connection import Connection
from modstream.broker.wire.records import ProducerRecord, TopicPartition
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Topics
from modstream.processors.errors import PartitionCountMismatch
from modstream.processors.join.faust.producer import MAX_BATCH_BYTES
from modstream.processors.join.faust.security import faust_credentials
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
}


class FaustIO:
    """The joiner's Kafka operations, on the clients that Faust opens when it starts."""

    def __init__(self, app: faust.App) -> None:
        self._app = app

    async def send_rows(self, topic: str, partition: int, rows: Iterable[KeyValue]) -> None:
        """Send rows to one partition and wait until they are acknowledged."""
        await self._app.producer.send_rows(topic, partition, rows)

    async def send_records(
        self, topic: str, partition: int, records: Iterable[ProducerRecord]
    ) -> None:
        """Send records with their headers and timestamps likewise."""
        await self._app.producer.send_records(topic, partition, records)

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
    """A table whose rows are kept by the joiner: Faust recovers them, the joiner writes them."""

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
        )
        self.settings = settings
        changelog, io = self.changelog_topic_name, FaustIO(app)
        self.joiner = Joiner(topics, settings, changelog, io, protection, on_joined)
        self._inputs = (topics.predictions, topics.labels)

    async def on_rebalance(self, assigned: set[TP], *changes: object) -> None:
        """Assign the new partitions to the joiner.

        Raises:
            PartitionCountMismatch: an input topic has a different number of partitions.
        """
        await super().on_rebalance(assigned, *changes)
        counts = {topic: self.app.consumer.topic_partitions(topic) for topic in self._inputs}
        if set(counts.values()) != {self.partitions}:
            raise PartitionCountMismatch(counts, self.partitions)
        self.joiner.assign({tp.partition for tp in assigned if tp.topic in self._inputs})

    def apply_changelog_batch(self, batch: Iterable[faust.Event]) -> None:
        """Restore rows in changelog order; a row that cannot be read ends the app."""
        try:
            for event in batch:
                self.joiner.restore(event.message.partition, event.message.value.records)
        except ValueError as error:
            # Faust would only log the error and continue without the row.
            self.add_future(self.app.crash(error))
            raise

    async def on_recovery_completed(self, active: set[TP], standby: set[TP]) -> None:
        """Resume the joiner."""
        await super().on_recovery_completed(active, standby)
        self.joiner.resume()


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
