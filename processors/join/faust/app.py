"""The Faust application of the late-label join: wiring only, the join itself is pure.

Faust is the group membership, the changelog's recovery and the timer. Its CLI, web server,
serializers, acknowledgements and exactly-once mode are not used.
"""

import asyncio
import signal
from collections.abc import Iterable
from time import monotonic

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP
from mode.utils.queues import ThrowableQueue
from yarl import URL

from modstream.broker.client.connection import Connection
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import LARGEST_RECORD, Topics
from modstream.processors.errors import JoinerError, JoinerStalled, PartitionsDiffer
from modstream.processors.join.faust.security import credentials
from modstream.processors.join.faust.transport import SEND_BYTES, Transport
from modstream.processors.join.joiner import Chunk, Joiner, JoinerSettings, Row

TABLE = "entries"
STOP_SECONDS = 15.0
LAG_SECONDS = 5.0
FETCH_BYTES = 256 * 1024
"""Of one partition at once: small, so that the inputs are read in turns. A larger record comes."""
CHANGELOG_CONFIG = {
    "max.message.bytes": str(LARGEST_RECORD),
    # Only closed segments are compacted; a recovery reads all that is not.
    "segment.bytes": str(64 * 1024 * 1024),
}
FAILED = 70
STALLED = 75
"""Exit codes, by sysexits.h: a software failure; a state that a restart may mend."""


class Broker:
    """The joiner's doors, through the clients that Faust holds once it has started."""

    def __init__(self, app: faust.App) -> None:
        self._app = app

    async def send_rows(self, topic: str, partition: int, rows: Iterable[Row]) -> None:
        """Send rows to one partition and wait until they are acknowledged."""
        await self._app.producer.send_rows(topic, partition, rows)

    def at_end(self, tp: TopicPartition) -> bool:
        """Whether everything committed in this partition has been read and taken."""
        return bool(self._app.consumer.at_end(TP(*tp)))

    def hold(self, tp: TopicPartition, *, back: bool) -> None:
        """Take nothing from this partition for now, or take from it again."""
        held: set[TP] = self._app.transport.held
        (held.add if back else held.discard)(TP(*tp))


class App(faust.App):  # type: ignore[misc]
    """Faust, without its last drop: it empties its queues when a recovery has ended.

    Reading has begun again by then, and what lay in a queue would never be read again. The joiner
    tells by itself what is left from before: it does not connect.
    """

    def FlowControlQueue(  # noqa: N802 - Faust's name
        self,
        maxsize: int | None = None,
        *,
        clear_on_resume: bool = False,
    ) -> ThrowableQueue[object]:
        """Make a queue that nobody empties but its reader."""
        del clear_on_resume
        return super().FlowControlQueue(maxsize, clear_on_resume=False)


class Entries(faust.Table):  # type: ignore[misc]
    """A table whose rows live in the joiner: Faust recovers them, the joiner writes them."""

    def __init__(self, app: faust.App, topics: Topics, settings: JoinerSettings) -> None:
        super().__init__(
            app,
            name=TABLE,
            partitions=settings.partitions,
            key_type=bytes,
            value_type=bytes,
            extra_topic_configs=CHANGELOG_CONFIG,
        )
        self.settings = settings
        self.joiner = Joiner(topics, settings, self.changelog_topic_name, Broker(app))
        self._inputs = (topics.predictions, topics.labels)

    async def on_rebalance(self, assigned: set[TP], *changes: object) -> None:
        """Keep what is still ours, make room for what is newly ours."""
        await super().on_rebalance(assigned, *changes)
        counts = {topic: self.app.consumer.topic_partitions(topic) for topic in self._inputs}
        if set(counts.values()) != {self.partitions}:
            raise PartitionsDiffer(counts, self.partitions)
        self.joiner.own({tp.partition for tp in assigned if tp.topic in self._inputs})

    def apply_changelog_batch(self, batch: Iterable[faust.Event]) -> None:
        """Restore rows, in the order of the changelog."""
        try:
            for event in batch:
                self.joiner.restore(event.message.partition, event.message.value.records)
        except ValueError as error:
            # Faust would log that a row cannot be read, and go on without it.
            self.add_future(self.app.crash(error))
            raise

    async def on_recovery_completed(self, active: set[TP], standby: set[TP]) -> None:
        """Let the joiner begin."""
        await super().on_recovery_completed(active, standby)
        self.joiner.resume()


def build_app(connection: Connection, topics: Topics, settings: JoinerSettings) -> faust.App:
    """The joiner of one stream as a Faust app, for `run`."""
    app = _app(connection, topics, settings)
    entries = Entries(app, topics, settings)
    app.tables.add(entries)
    app.transport = Transport(app.conf.broker_consumer, app)
    app.transport.positions = entries.joiner.positions
    inputs = app.topic(topics.predictions, topics.labels, value_serializer="raw", acks=False)

    @app.agent(inputs, name="join")  # type: ignore[untyped-decorator]
    async def join(chunks: faust.Stream[Chunk]) -> None:
        async for event in chunks.events():
            await entries.joiner.take(TopicPartition(*event.message.tp), event.message.value)

    @app.timer(interval=settings.sweep_seconds)  # type: ignore[untyped-decorator]
    async def sweep() -> None:
        await entries.joiner.sweep()

    @app.on_partitions_revoked.connect(weak=False)  # type: ignore[untyped-decorator]
    async def let_go(*_: object, **__: object) -> None:
        await entries.joiner.suspend()
        await app.consumer.commit()

    return app


def run(app: faust.App) -> int:
    """Join until SIGTERM or SIGINT; returns the exit code: 0, FAILED or STALLED."""
    return asyncio.run(_serve(app))


async def _serve(app: faust.App) -> int:
    log = structlog.get_logger(__name__).bind(app=app.conf.id)
    ends = [asyncio.create_task(end) for end in (_stop_signal(), _failure(app), _stall(app))]
    done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    error = next((task.exception() for task in done if task.exception() is not None), None)
    if error is not None:
        log.error("joiner failed", exc_info=error)
    try:
        await asyncio.wait_for(app.stop(), STOP_SECONDS)
    except TimeoutError:
        log.exception("joiner did not stop in time")
        return FAILED
    if error is None:
        return 0
    return STALLED if isinstance(error, JoinerStalled) else FAILED


async def _stop_signal() -> None:
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    await asked.wait()


async def _failure(app: faust.App) -> None:
    """Start the app; raises what it failed with."""
    await app.start()
    await app.wait_until_stopped()
    raise app.crash_reason or JoinerError("Faust stopped by itself")


async def _stall(app: faust.App) -> None:
    """Raise JoinerStalled when records wait and no offset was committed for too long.

    Faust and its Kafka client are known to stop silently:
    https://github.com/faust-streaming/faust/issues/175
    """
    entries = app.tables[TABLE]
    patience = entries.settings.stall_seconds
    progress, moved_at = None, monotonic()
    while True:
        await asyncio.sleep(patience / 10)
        lag = await _lag(app)
        now = (entries.joiner.restored, app.consumer.committed_now())
        if now != progress or lag == 0:
            progress, moved_at = now, monotonic()
        elif monotonic() - moved_at >= patience:
            raise JoinerStalled(lag, patience)


async def _lag(app: faust.App) -> int | None:
    """Offsets waiting; None if nobody answers, which is no progress either."""
    try:
        return int(await asyncio.wait_for(app.consumer.lag(), LAG_SECONDS))
    except ConsumerNotStarted:
        return 0
    except (TimeoutError, KafkaError):
        return None


def _app(connection: Connection, topics: Topics, settings: JoinerSettings) -> faust.App:
    return App(
        topics.group("joiner"),
        broker=[URL(f"kafka://{server}") for server in connection.bootstrap.split(",")],
        broker_credentials=credentials(connection.options),
        broker_commit_interval=1.0,
        broker_max_poll_records=settings.batch,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance,
        consumer_max_fetch_size=FETCH_BYTES,
        producer_max_batch_size=SEND_BYTES,
        producer_max_request_size=LARGEST_RECORD,
        # Chunks, not records, are buffered.
        stream_buffer_maxsize=16,
        stream_wait_empty=False,
        store="memory://",
        table_standby_replicas=0,
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        topic_disable_leader=True,
        datadir=str(settings.data_dir),
        # A batch that failed must not be skipped by an agent that starts again.
        agent_supervisor="mode.CrashingSupervisor",
        web_enabled=False,
    )
