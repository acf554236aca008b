"""Event time against wall time: when an event is due, and what may hold it back."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay has come. Times are event times in ms; None before the first."""

    requests: int = 0
    labels: int = 0
    faults: int = 0
    began: int | None = None
    event_time: int | None = None
    label_time: int | None = None


Hold = Callable[[Progress], float]
"""Asked before every event: seconds to wait before asking again, 0 lets the event go."""


def never(_: Progress) -> float:
    """Hold nothing back."""
    return 0.0


def leash(reached: Callable[[], int | None], most_ms: int, pause: float = 0.05) -> Hold:
    """Hold the replay while the learner is more than `most_ms` of event time behind it.

    What counts is the newest label *sent*, not the calendar: a night without flights would
    otherwise keep a learner that has learned everything "behind", and the replay for ever held.

    Args:
        reached: event time of the newest label that has been learned, None before the first;
            it must in the end reach every label that was sent.
        most_ms: the staleness that is allowed, in event time.
        pause: seconds between two looks at `reached`.
    """

    def hold(progress: Progress) -> float:
        if progress.label_time is None or progress.began is None:
            return 0.0
        learned = reached()
        since = progress.began if learned is None else learned
        return pause if progress.label_time - since > most_ms else 0.0

    return hold


class Pace:
    """Maps event time to wall time: the first event is due now, others follow `speed_up` faster.

    Time spent held back is not made up for, or the replay would run faster than its speed
    right after the pipeline had asked it to wait.
    """

    def __init__(
        self, first_ms: int, speed_up: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._first_ms = first_ms
        self._per_second = speed_up * 1000
        self._clock = clock
        self._origin = clock()

    def remaining(self, event_ms: int) -> float:
        """Seconds of wall time until the event is due; negative when it is overdue."""
        due = self._origin + (event_ms - self._first_ms) / self._per_second
        return due - self._clock()

    def postpone(self, seconds: float) -> None:
        """Move everything that is still to come."""
        self._origin += seconds
