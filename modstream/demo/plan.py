"""What a demo replays, and how hard it makes it for the system."""

from dataclasses import dataclass
from datetime import date

HOUR_MS = 3600 * 1000


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """Flights from `start` to before `end`; at most `speed_up` event seconds a second.

    `leash_ms` is how far, in event time, the newest label that was sent may be ahead of the
    newest one that was learned: a replay thousands of times faster than life would otherwise
    let a model serve that is hours old, which no real stream would. `faults` is the share of
    bad records that are mixed in, `drill` kills a worker, the learner and Redis on the way.
    """

    start: date
    end: date
    workers: int = 2
    speed_up: float = 40_000.0
    leash_ms: int = HOUR_MS
    faults: float = 0.0
    drill: bool = False
    seed: int = 2013


SHORT = DemoPlan(date(2013, 4, 15), date(2013, 4, 29))
"""Two weeks in April 2013 with delays of a kind that the winter had not shown."""
FULL = DemoPlan(date(2013, 4, 1), date(2014, 1, 1))
"""All that the frozen model has never seen: about 250,000 flights."""
