"""Lines in the log of a service that say now and then what it has done."""

from collections.abc import Callable, Mapping
from time import monotonic

import structlog

INTERVAL_S = 30.0
"""Minimum time between two lines."""
FIRST_LINE_S = 5.0
"""Time until the first line, which shows that the service works."""


class ActivityLog:
    """Logs the totals of a service, at most once per interval, and only when they have changed."""

    def __init__(
        self, event: str, *, interval: float = INTERVAL_S, clock: Callable[[], float] = monotonic
    ) -> None:
        self._event = event
        self._interval = interval
        self._clock = clock
        self._logged: Mapping[str, object] = {}
        self._next_line = clock() + FIRST_LINE_S
        self._log = structlog.get_logger(__name__)

    def update(self, totals: Callable[[], Mapping[str, object]]) -> None:
        """Log the totals that the function returns, if a line is due and they have changed."""
        now = self._clock()
        if now < self._next_line:
            return
        self._next_line = now + self._interval
        found = totals()
        if found != self._logged:
            self._logged = dict(found)
            self._log.info(self._event, **found)
