"""Batches of records that one transaction can publish."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from modstream.broker.wire.record_size import record_size
from modstream.broker.wire.records import ProducerRecord, Record

AnyRecord = TypeVar("AnyRecord", Record, ProducerRecord)

MAX_TRANSACTION_BYTES = 32 * 1024 * 1024
"""A batch ends with the record that reaches this size: a transaction must end within 15 s."""


def split_batches(records: Iterable[AnyRecord], max_records: int) -> Iterator[list[AnyRecord]]:
    """Yield the records in order, in batches of at most `max_records` that fit a transaction."""
    batch: list[AnyRecord] = []
    size = 0
    for record in records:
        batch.append(record)
        size += record_size(record)
        if len(batch) == max_records or size >= MAX_TRANSACTION_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
