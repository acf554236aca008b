"""Deadlines of requests."""

from collections.abc import Sequence

from modstream.broker.wire.record_batch import RequestHeaders
from modstream.processors.errors import DeadlineExceeded, InvalidDeadline, Refusal

MAX_DIGITS = 19
"""Decimal digits of the largest signed 64-bit integer."""


def check_deadline(deadline: bytes | None, now_ms: int) -> Refusal | None:
    """Return the refusal if the deadline has passed or is malformed, else None."""
    if deadline is None:
        return None
    if not deadline.isdigit() or len(deadline) > MAX_DIGITS:
        return InvalidDeadline(deadline)
    return DeadlineExceeded(int(deadline), now_ms) if now_ms > int(deadline) else None


def expired(headers: Sequence[RequestHeaders], now_ms: int) -> dict[int, Refusal]:
    """Return the refusals of a batch's requests for their deadlines, by position."""
    deadlines = [one.deadline for one in headers]
    if deadlines.count(None) == len(deadlines):
        return {}
    found = ((position, check_deadline(one, now_ms)) for position, one in enumerate(deadlines))
    return {position: refusal for position, refusal in found if refusal is not None}
