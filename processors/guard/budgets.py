"""Limits on rejections: a token bucket for the soft rules, a circuit breaker for each source."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

MAX_SOURCES = 10_000
"""Number of sources that a breaker follows; beyond it the one first seen is dropped."""


@dataclass(slots=True)
class TokenBucket:
    """A token bucket that starts full, gains `tokens_per_row` and holds at most `capacity` tokens.

    Each rejection by a soft rule costs one token. After a real change of the data most rows look
    unlikely: then the bucket runs empty and the rows pass.
    """

    tokens_per_row: float
    capacity: float
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        """Fill the bucket."""
        self.tokens = self.capacity

    def add_row(self) -> None:
        """Add the share of a token that one checked row is worth."""
        self.tokens = min(self.capacity, self.tokens + self.tokens_per_row)

    def take(self) -> bool:
        """Take one token; return False if there is less than one."""
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass(slots=True)
class SourceWindow:
    """One source: whether each of its recent rows was a violation, and its rows left to reject."""

    violations: deque[bool]
    violation_count: int = 0
    open_rows_left: int = 0


@dataclass(slots=True)
class SourceBreaker:
    """A circuit breaker for each source of rows.

    It opens for the source's next `open_for` rows once more than `max_share` of the last `window`
    rows were violations. It does not open before a quarter of the window is filled. A `max_share`
    of 0 switches it off.
    """

    max_share: float
    window: int
    open_for: int
    _sources: OrderedDict[str, SourceWindow] = field(default_factory=OrderedDict)

    def rejects_row(self, source: str) -> bool:
        """Return whether the source's breaker is open; counts one row of the open period."""
        window = self._window_of(source)
        if not window.open_rows_left:
            return False
        window.open_rows_left -= 1
        return True

    def record_row(self, source: str, *, is_violation: bool) -> None:
        """Record the outcome of a row whose source's breaker is closed; may open the breaker."""
        window = self._window_of(source)
        if len(window.violations) == self.window:
            window.violation_count -= window.violations[0]
        window.violations.append(is_violation)
        window.violation_count += is_violation
        rows = len(window.violations)
        limit = self.max_share * rows
        if self.max_share and rows >= self.window / 4 and window.violation_count > limit:
            self._sources[source] = self._new_window(open_rows_left=self.open_for)

    def _window_of(self, source: str) -> SourceWindow:
        window = self._sources.get(source)
        if window is None:
            window = self._sources[source] = self._new_window()
            if len(self._sources) > MAX_SOURCES:
                self._sources.popitem(last=False)
        return window

    def _new_window(self, open_rows_left: int = 0) -> SourceWindow:
        return SourceWindow(deque(maxlen=self.window), open_rows_left=open_rows_left)
