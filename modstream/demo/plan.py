"""What the demo replays, at which speed, and with which faults."""

from dataclasses import dataclass
from datetime import date

from modstream.models.evaluation.monitoring.periods import HOUR_MS


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """The plan of a demo: flights from `start` to before `end`, at `speed_up` times real time.

    `max_learning_lag_ms` is the maximum event time between the newest label sent and the newest
    one learned. Without this limit, a replay thousands of times faster than real time would serve
    models that are hours old in event time. `bad_share` is the number of bad records per request.
    With `chaos`, a worker, the learner and Redis are killed during the replay.
    """

    start: date
    end: date
    workers: int = 2
    speed_up: float = 40_000.0
    max_learning_lag_ms: int = HOUR_MS
    bad_share: float = 0.0
    chaos: bool = False
    seed: int = 2013


SHORT = DemoPlan(date(2013, 4, 15), date(2013, 4, 29))
"""Two weeks in April 2013, whose delays differ from those of the winter before."""
FULL = DemoPlan(date(2013, 4, 1), date(2014, 1, 1))
"""All flights that the frozen model was not trained on: about 250,000."""
