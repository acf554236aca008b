"""Maps event time to wall time, and holds a replay back while a learner lags."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import monotonic


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """The progress of a replay. Times are event times in ms, None before the first event."""

    requests: int = 0
    labels: int = 0
    bad_records: int = 0
    first_event_time: int | None = None
    event_time: int | None = None
    label_time: int | None = None


HoldHook = Callable[[ReplayProgress, int], float]
"""Called before every event, with the progress and the time (ms) at which the event is due:
returns the seconds to wait before the next call, or 0 to send."""


def no_hold(_progress: ReplayProgress, _due: int) -> float:
    """Never hold an event back."""
    return 0.0


def hold_for_all(*holds: HoldHook) -> HoldHook:
    """Return a hook that holds an event back as long as one of several hooks does."""

    def hold(progress: ReplayProgress, due: int) -> float:
        return next((pause for one in holds if (pause := one(progress, due)) > 0), 0.0)

    return hold


def hold_for_learner(
    learned_up_to: Callable[[], int | None], max_lag_ms: int, pause_seconds: float = 0.05
) -> HoldHook:
    """Return a hook that holds the replay while the learner lags more than `max_lag_ms` behind.

    The lag is measured from the newest label that was *sent*. With the current event time
    instead, a night without flights would make a learner appear late that has learned every label,
    and hold the replay forever.

    Args:
        learned_up_to: returns the event time in ms of the newest learned label, None before the
            first one. It must eventually reach the newest label sent.
        max_lag_ms: the allowed lag, in ms of event time.
        pause_seconds: how long the replay waits before it calls the hook again.
    """

    def hold(progress: ReplayProgress, _due: int) -> float:
        if progress.label_time is None or progress.first_event_time is None:
            return 0.0
        learned = learned_up_to()
        reached = progress.first_event_time if learned is None else learned
        return pause_seconds if progress.label_time - reached > max_lag_ms else 0.0

    return hold


def hold_for_features(
    oldest_waiting: Callable[[], int | None], max_lag_ms: int, pause_seconds: float = 0.005
) -> HoldHook:
    """Return a hook that holds an event back while features lack events from long before it.

    Args:
        oldest_waiting: returns the event time in ms of the oldest event sent that the published
            features do not count yet, None if they count all. It must eventually advance.
        max_lag_ms: how much older than the next event that event may be, in ms of event time.
        pause_seconds: how long the replay waits before it calls the hook again.
    """
    free_until = -inf

    def hold(_progress: ReplayProgress, due: int) -> float:
        nonlocal free_until
        if due <= free_until:
            return 0.0
        oldest = oldest_waiting()
        if oldest is None:
            return 0.0
        free_until = oldest + max_lag_ms
        return pause_seconds if due > free_until else 0.0

    return hold


class ReplayClock:
    """A clock that runs `speed_up` times faster than wall time, from the first event on.

    Time during which the replay is held back delays all later events. The replay would otherwise
    run too fast after a hold, when the learner has just caught up.
    """

    def __init__(
        self, first_ms: int, speed_up: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._first_ms = first_ms
        self._per_second = speed_up * 1000
        self._clock = clock
        self._origin = clock()

    def seconds_until(self, event_ms: int) -> float:
        """Return the seconds of wall time until an event is due; negative if it is overdue."""
        due = self._origin + (event_ms - self._first_ms) / self._per_second
        return due - self._clock()

    def postpone(self, seconds: float) -> None:
        """Delay all later events by some seconds of wall time."""
        self._origin += seconds
