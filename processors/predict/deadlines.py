"""Until when a request is worth an answer."""

from collections.abc import Sequence

from modstream.broker.wire.record_batch import Marks
from modstream.processors.errors import DeadlineUnreadable, Expired, Refusal

LONGEST = 19
"""Digits that fit into 64 bits."""


def overdue(deadline: bytes | None, now_ms: int) -> Refusal | None:
    """Why a record is not to be answered for its deadline's sake, or None."""
    if deadline is None:
        return None
    if not deadline.isdigit() or len(deadline) > LONGEST:
        return DeadlineUnreadable(deadline)
    return Expired(int(deadline), now_ms) if now_ms > int(deadline) else None


def all_overdue(marks: Sequence[Marks], now_ms: int) -> dict[int, Refusal]:
    """Why records of a batch are not to be answered for their deadline's sake, by place."""
    deadlines = [mark.deadline for mark in marks]
    if deadlines.count(None) == len(deadlines):
        return {}
    found = ((place, overdue(deadline, now_ms)) for place, deadline in enumerate(deadlines))
    return {place: refusal for place, refusal in found if refusal is not None}
