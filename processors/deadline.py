"""Until when a request is worth an answer."""

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
