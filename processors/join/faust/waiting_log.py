"""The log's warning that labels wait for their prediction."""

import structlog

from modstream.processors.join.waiting import WaitingLabels

REPEAT_S = 3600.0
"""Seconds after which the warning is repeated while labels still wait."""


class WaitingLabelsLog:
    """Warns once, again when twice as many labels wait, and every hour."""

    def __init__(self) -> None:
        self._count = 0
        self._at = 0.0

    def note(self, found: WaitingLabels | None, now: float) -> None:
        """Log the labels that have waited too long, unless the log has said so already.

        Args:
            found: the labels, or None.
            now: seconds of a monotonic clock.
        """
        if found is None or (found.waiting < 2 * self._count and now - self._at < REPEAT_S):
            return
        self._count, self._at = found.waiting, now
        structlog.get_logger(__name__).warning(
            "labels wait for their prediction",
            waiting=found.waiting,
            example=found.request_id,
            key=found.key,
            partition=found.partition,
            reason=found.reason,
        )
