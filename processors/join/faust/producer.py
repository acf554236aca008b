"""Faust's producer, corrected: it is idempotent, and sends many rows at once."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata
from faust.transport.drivers import aiokafka as driver

from modstream.broker.errors import OversizeRecord
from modstream.broker.wire.record_size import record_size
from modstream.broker.wire.records import ProducerRecord
from modstream.processors.join.entry_store import OffsetRange

MAX_BATCH_BYTES = 900_000
"""Maximum size of a Kafka record batch, below the brokers' default limit of 1 MB."""


class Producer(driver.Producer):  # type: ignore[misc]
    """An idempotent Faust producer that can also send many rows at once."""

    def _settings_extra(self) -> Mapping[str, object]:
        return {"acks": "all", "enable_idempotence": True}

    async def send_rows(
        self, topic: str, partition: int, rows: Iterable[tuple[bytes | None, bytes | None]]
    ) -> OffsetRange | None:
        """Send rows to one partition and wait until they are acknowledged.

        Rows of up to MAX_BATCH_BYTES form one record batch, which the broker appends atomically.

        Returns:
            Their offsets; None if other rows are between them, or the broker does not tell.
        """
        records = (ProducerRecord(topic, key, value) for key, value in rows)
        return await self.send_records(topic, partition, records)

    async def send_records(
        self, topic: str, partition: int, records: Iterable[ProducerRecord]
    ) -> OffsetRange | None:
        """Send records with their headers and timestamps, like `send_rows`.

        A record that is larger than a batch is a batch of its own.

        Raises:
            OversizeRecord: the client refuses a record because of its size.
        """
        producer = self._ensure_producer()
        sent: list[asyncio.Future[RecordMetadata]] = []
        counts: list[int] = []
        batch = producer.create_batch()
        for record in records:
            if not _append(batch, record):
                counts.append(batch.record_count())
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                if not _append(batch, record):
                    size = record_size(record)
                    raise OversizeRecord(topic, f"{size:,} bytes do not fit a record batch")
        batch.close()
        counts.append(batch.record_count())
        sent.append(await producer.send_batch(batch, topic, partition=partition))
        return contiguous_range([one.offset for one in await asyncio.gather(*sent)], counts)


def contiguous_range(starts: Sequence[int], counts: Sequence[int]) -> OffsetRange | None:
    """Return the offsets of batches that lie behind each other; None if others are between them.

    A broker that has seen a batch before may acknowledge it with the offset -1.
    """
    ends = [start + count for start, count in zip(starts, counts, strict=True)]
    if min(starts) < 0 or list(starts[1:]) != ends[:-1]:
        return None
    return OffsetRange(starts[0], ends[-1])


def _append(batch: BatchBuilder, record: ProducerRecord) -> bool:
    """Append a record to a batch; return whether it fitted."""
    added = batch.append(
        timestamp=record.timestamp,
        key=record.key,
        value=record.value,
        headers=list(record.headers),
    )
    return added is not None
