"""Steps over offsets that cannot be read: a batch that is damaged, or can't be decompressed.

Such a batch fails as a whole, again and again, and the client reports only the offset at which it
begins. A second client finds the next offset that can be read: it tries offsets ahead at doubling
distances, and then bisects. Records of which the second client can read a part are not skipped.
"""

from time import monotonic
from typing import NamedTuple

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.connection import Connection, reader_config
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Header

UNREADABLE_ERRORS = frozenset(
    {
        KafkaError._BAD_COMPRESSION,
        KafkaError._BAD_MSG,
        KafkaError._NOT_IMPLEMENTED,
        KafkaError._UNDERFLOW,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
    }
)
"""Errors of a consumer that concern the batch at an offset, and not the connection."""
POSITION_ERRORS = UNREADABLE_ERRORS - {KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG}
"""Errors for which the client reports the requested offset instead of the batch's first one."""
PROBE_TIMEOUT_S = 5.0
"""Time to wait for the result at one offset."""
SEARCH_TIMEOUT_S = 20.0
"""Time for one search. Meanwhile its consumer returns nothing, and stays a member of its group."""


class SkippedOffsets(NamedTuple):
    """The offsets from `first` to before `next` that cannot be read, and the client's reason.

    `batch` is the first offset of their batch. If the search ran out of time, they are not all
    offsets of the batch.
    """

    partition: TopicPartition
    first: int
    next: int
    reason: str
    batch: int
    is_whole: bool = True

    def to_record(self) -> Record:
        """Return a record without a value, at the last of these offsets, which represents them."""
        text = f"{self.first}-{self.next - 1}: {self.reason}"
        headers = ((Header.SKIPPED.value, text.encode(errors="replace")),)
        return Record(*self.partition, self.next - 1, None, None, headers)


class OffsetSkipper:
    """Finds the unreadable offsets of a consumer's partitions, and counts them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._found: dict[TopicPartition, SkippedOffsets] = {}
        self.skipped = 0
        """The number of offsets that were skipped."""

    def find(self, partition: TopicPartition, offset: int) -> SkippedOffsets | None:
        """Return the unreadable offsets that begin at an offset; None if none are certain.

        A consumer that was rewound asks again and gets the same answer.
        """
        known = self._found.get(partition)
        if known is not None and not known.batch <= offset < known.next:
            known = None
        if known is not None and known.is_whole:
            return known
        log = structlog.get_logger(__name__)
        probe = OffsetProbe(self._connection, partition)
        try:
            found = probe.search(offset, known)
        except KafkaException as error:
            cause = error.args[0].str()
            log.warning("offset not probed", partition=str(partition), offset=offset, cause=cause)
            return None
        finally:
            probe.close()
        if found is None:
            log.warning("offset unreadable once", partition=str(partition), offset=offset)
            return None
        self._found[partition] = found
        self.skipped += found.next - found.first
        log.error(
            "unreadable offsets skipped",
            topic=partition.topic,
            partition=partition.partition,
            first=found.first,
            last=found.next - 1,
            cause=found.reason,
        )
        return found


class OffsetProbe:
    """A client that tries whether single offsets of one partition can be read."""

    def __init__(self, connection: Connection, partition: TopicPartition) -> None:
        self._partition = partition
        config = reader_config(connection, "modstream-probe", committed=False)
        # Only one batch is wanted.
        bounds = {"fetch.message.max.bytes": 1024, "queued.min.messages": 1}
        self._consumer = Consumer({**config, **bounds})

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def search(self, batch: int, known: SkippedOffsets | None = None) -> SkippedOffsets | None:
        """Return the unreadable offsets of a batch; None if its first offset can be read.

        If the time is up, the offsets that are known to be unreadable so far are returned; the
        others follow in the next search.

        Args:
            batch: the first offset of the batch.
            known: the result of the previous search, if the time was up.
        """
        first = batch if known is None else known.next
        error = self._first_event(batch).error()
        if error is None or error.code() not in UNREADABLE_ERRORS:
            return None
        deadline = monotonic() + SEARCH_TIMEOUT_S
        _, end = self._consumer.get_watermark_offsets(
            KafkaPartition(*self._partition), PROBE_TIMEOUT_S
        )
        # All offsets of the batch up to `bad` are unreadable; `good` is readable, or the end.
        bad, step = (batch if known is None else known.next - 1), 1
        while (good := min(bad + step, end)) < end and self._is_part_of(batch, good):
            bad, step = good, 2 * step
            if monotonic() >= deadline:
                break
        while good - bad > 1 and monotonic() < deadline:
            middle = (bad + good) // 2
            bad, good = (middle, good) if self._is_part_of(batch, middle) else (bad, middle)
        is_whole = bad < good == bad + 1
        if known is not None and bad + 1 == known.next:
            return known._replace(is_whole=is_whole)
        return SkippedOffsets(self._partition, first, bad + 1, error.str(), batch, is_whole)

    def _is_part_of(self, batch: int, offset: int) -> bool:
        """Return whether an offset is in the unreadable batch that begins at `batch`.

        For most errors the client reports the first offset of the batch, so that another offset
        means another batch.
        """
        message = self._first_event(offset)
        error = message.error()
        if error is None or error.code() not in UNREADABLE_ERRORS:
            return False
        reported = message.offset()
        return reported is None or reported <= batch or error.code() in POSITION_ERRORS

    def _first_event(self, offset: int) -> Message:
        """Return the first record, error, or end of partition at an offset or behind it.

        Raises:
            KafkaException: there is none in time, or an error of the connection.
        """
        self._consumer.assign([KafkaPartition(*self._partition, offset)])
        message = self._consumer.poll(PROBE_TIMEOUT_S)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer to a probe"))
        error = message.error()
        if error is not None and error.code() not in UNREADABLE_ERRORS | {
            KafkaError._PARTITION_EOF
        }:
            raise KafkaException(error)
        return message
