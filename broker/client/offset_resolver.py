"""Resolves the start offsets of partitions for which the client has none, or a wrong one."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from time import monotonic

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.conversions import has_records_from
from modstream.broker.wire.records import Offsets, TopicPartition

COORDINATOR_TIMEOUT_S = 0.3
"""Timeout of one request; meanwhile the consumer polls no other partition."""
REQUEST_INTERVAL_S = 0.25
"""Minimum interval between requests."""
IDLE_CHECK_INTERVAL_S = 3.0
"""Interval between checks for partitions that have not returned any record."""
RETRIABLE_ERRORS = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._WAIT_COORD,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
    }
)
"""Errors after which the request is repeated."""


class OffsetResolver:
    """Resolves the start offsets of a consumer's partitions and assigns the partitions there.

    The client chooses no start offset by itself (`auto.offset.reset` is `error`). If a rebalance
    happens while an open transaction holds back a partition's offset, librdkafka mistakes "not
    stable yet" for "never committed"; with `earliest`, a whole partition was processed again
    (docs/adr/0013). A partition reported without a committed offset is therefore queried again.
    "None" is accepted after two identical responses, and a committed offset is ignored as deleted
    only if it is outside the partition's watermarks.

    The client's report can be lost, because pausing or assigning partitions discards their queues.
    So partitions that return no records are queried as well, and assigned if they have records.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._unresolved: set[TopicPartition] = set()
        self._assigned_offsets: dict[TopicPartition, int] = {}
        self._reported_without_offset: set[TopicPartition] = set()
        self._idle_checks: dict[TopicPartition, int] = {}
        self._required_checks: dict[TopicPartition, int] = {}
        self._next_idle_check = 0.0
        self._next_request = 0.0
        self._log = structlog.get_logger(__name__)

    def add(self, partition: TopicPartition) -> None:
        """Add a partition that the client reported without a start offset."""
        self._unresolved.add(partition)
        self._next_request = 0.0

    def discard(self, partition: TopicPartition) -> None:
        """Forget a partition that is no longer assigned to this member."""
        self._unresolved.discard(partition)
        self._assigned_offsets.pop(partition, None)
        self._reported_without_offset.discard(partition)
        self._idle_checks.pop(partition, None)
        self._required_checks.pop(partition, None)

    def assign_resolved(self, idle: AbstractSet[TopicPartition] = frozenset()) -> None:
        """Assign the partitions whose start offset is known now, at that offset.

        The start offset is the committed offset, or the first record if none is committed.

        Args:
            idle: the partitions that have not returned any record, although all available records
                were taken.

        Raises:
            KafkaException: the client failed.
        """
        stalled = self._stalled(idle)
        if not (self._unresolved or stalled) or monotonic() < self._next_request:
            return
        try:
            for partition, offset in self._resolve_offsets(stalled).items():
                # The client has stopped fetching the partition and cannot seek in it.
                self._consumer.incremental_unassign([KafkaPartition(*partition)])
                self._consumer.incremental_assign([KafkaPartition(*partition, offset)])
                self._unresolved.discard(partition)
                self._idle_checks.pop(partition, None)
                self._required_checks[partition] = 2 * self._required_checks.get(partition, 2)
                self._log.info(
                    "start offset assigned", partition=partition.partition, offset=offset
                )
        except KafkaException as error:
            if error.args[0].code() not in RETRIABLE_ERRORS:
                raise
        self._next_request = monotonic() + REQUEST_INTERVAL_S

    def misplaced(self, fresh: Offsets) -> AbstractSet[TopicPartition]:
        """Find the partitions that may have started before their committed offset, and seek them.

        Args:
            fresh: the first consumed offset of each newly assigned partition.

        Returns:
            The partitions whose records must not be processed. Each one starts again: at its
            committed offset, or at the same record while the committed offset is unknown.

        Raises:
            KafkaException: the client failed.
        """
        starts = dict(fresh)
        try:
            requested = [KafkaPartition(*partition) for partition in fresh]
            found = stable_offsets(self._consumer.committed(requested, COORDINATOR_TIMEOUT_S))
            for partition, committed in found.items():
                if committed <= fresh[partition]:
                    del starts[partition]
                    continue
                starts[partition] = committed
                self._log.warning(
                    "partition started before its committed offset",
                    partition=partition.partition,
                    offset=fresh[partition],
                    committed=committed,
                )
        except KafkaException as error:
            if error.args[0].code() not in RETRIABLE_ERRORS:
                raise
        for partition, offset in starts.items():
            self._consumer.seek(KafkaPartition(*partition, offset))
        return starts.keys()

    def _stalled(self, idle: AbstractSet[TopicPartition]) -> AbstractSet[TopicPartition]:
        """Return the partitions that were idle at two successive checks.

        A new assignment interrupts a fetch in flight, so the required number of checks doubles
        after each one: 4, 8, ...
        """
        if monotonic() < self._next_idle_check:
            return frozenset()
        self._next_idle_check = monotonic() + IDLE_CHECK_INTERVAL_S
        self._idle_checks = {p: self._idle_checks.get(p, 0) + 1 for p in idle}
        required = self._required_checks
        due = {p for p, checks in self._idle_checks.items() if checks >= required.get(p, 2)}
        return due - self._unresolved

    def _resolve_offsets(self, stalled: AbstractSet[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the start offsets that are certain; of stalled partitions with records only.

        A stalled partition without records is at its end, and nothing is noted about it.
        """
        requested = [KafkaPartition(*partition) for partition in self._unresolved | stalled]
        committed = stable_offsets(self._consumer.committed(requested, COORDINATOR_TIMEOUT_S))
        starts = {
            partition: self._resolve_offset(partition, offset)
            for partition, offset in committed.items()
            if partition in self._unresolved or self._has_records_from(partition, offset)
        }
        return {partition: start for partition, start in starts.items() if start is not None}

    def _resolve_offset(self, partition: TopicPartition, committed: int) -> int | None:
        """Return the start offset of a partition, or None while it is uncertain.

        The start is the committed offset, or the first record if none is committed or the record
        at the committed offset was deleted. "None committed" is accepted the second time. A
        partition that is reported again at an offset where it was assigned may only have been
        reported twice, so its offset is checked against the watermarks.
        """
        if committed < 0:
            if partition in self._reported_without_offset:
                return OFFSET_BEGINNING
            self._reported_without_offset.add(partition)
            return None
        if partition in self._reported_without_offset:
            self._reported_without_offset.discard(partition)
            self._log.warning("committed offset found late", partition=partition.partition)
        if self._assigned_offsets.get(partition) == committed:
            if self._is_deleted(partition, committed):
                return OFFSET_BEGINNING
            self._log.warning(
                "partition reported again", partition=partition.partition, offset=committed
            )
        self._assigned_offsets[partition] = committed
        return committed

    def _has_records_from(self, partition: TopicPartition, offset: int) -> bool:
        return has_records_from(self._consumer, partition, offset, COORDINATOR_TIMEOUT_S)

    def _is_deleted(self, partition: TopicPartition, offset: int) -> bool:
        """Return whether an offset is outside the partition's watermarks."""
        low, end = self._consumer.get_watermark_offsets(
            KafkaPartition(*partition), COORDINATOR_TIMEOUT_S
        )
        return not low <= offset <= end


def stable_offsets(responses: Iterable[KafkaPartition]) -> dict[TopicPartition, int]:
    """Return the committed offsets that are known; an offset is negative if none is committed."""
    return {
        TopicPartition(response.topic, response.partition): response.offset
        for response in responses
        if response.error is None
    }
