"""What the demo replays, at which speed, and with which faults."""

from dataclasses import dataclass
from datetime import date

from modstream.models.evaluation.monitoring.periods import HOUR_MS


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """The plan of a demo: flights from `start` to before `end`, at `speed_up` times real time.

    `max_learning_lag_ms` is the maximum event time between the newest label sent and the newest
    one learned. Without this limit, a replay thousands of times faster than real time would serve
    models that are hours old in event time. `max_feature_lag_ms` is the same for features of the
    stream: a request is sent once they count every label that is so much older. No event is sent
    while a request that is `max_answer_lag_ms` older has no answer. With `board`, the features
    count departures and landings, too. `retrain_hours` is the event time between two retrainings of
    the boosted candidate; 0 for none. `bad_share` is the number of bad records per request. With
    `chaos`, a worker, the learner and Redis are killed during the replay.
    """

    start: date
    end: date
    workers: int = 2
    speed_up: float = 40_000.0
    max_learning_lag_ms: int = HOUR_MS
    max_feature_lag_ms: int = HOUR_MS // 3
    max_answer_lag_ms: int = HOUR_MS // 6
    board: bool = False
    retrain_hours: float = 0.0
    bad_share: float = 0.0
    chaos: bool = False
    seed: int = 2013


SHORT = DemoPlan(
    date(2013, 4, 15), date(2013, 4, 29), max_feature_lag_ms=HOUR_MS, max_answer_lag_ms=HOUR_MS
)
"""Two weeks in April 2013, whose delays differ from those of the winter before. Its features are up
to an hour behind, which is three times as fast."""
FULL = DemoPlan(date(2013, 4, 1), date(2014, 1, 1), retrain_hours=14 * 24)
"""All flights that the frozen model was not trained on: about 250,000."""
