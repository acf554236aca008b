"""Until when a request is worth an answer."""

from collections.abc import Sequence

from broker.names import Header
from broker.records import Record
from processors.errors import DeadlineUnreadable, Expired, Refusal

LONGEST = 19
"""Digits that fit into 64 bits."""


def overdue(record: Record, now_ms: int) -> Refusal | None:
    """Why a record is not to be answered for its deadline's sake, or None."""
    if not record.headers:
        return None
    value = record.header(Header.DEADLINE)
    if value is None:
        return None
    if not value.isdigit() or len(value) > LONGEST:
        return DeadlineUnreadable(value)
    deadline = int(value)
    return Expired(deadline, now_ms) if now_ms > deadline else None


def all_overdue(batch: Sequence[Record], now_ms: int) -> dict[int, Refusal]:
    """Why records of a batch are not to be answered for their deadline's sake, by place."""
    found = ((place, overdue(record, now_ms)) for place, record in enumerate(batch) if record[5])
    return {place: refusal for place, refusal in found if refusal is not None}
