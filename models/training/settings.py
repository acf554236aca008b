"""What can be set of a retraining; apart from it, so that reading settings imports no library."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a challenger is trained, and what it must reach.

    `rows` is the most feedback rows that are used, the newest; `fewest` and `fewest_of_class` the
    least that will do, `broken` the largest share of them that the guard may refuse. `held_back`
    is the newest share, which only the acceptance test sees; the rest goes through `folds` of
    cross-validation in the order of time, for each of `trials` random settings. `metric` decides,
    by default AUC, accuracy or R2 by the task; `threshold` is what the business asks of it, and
    `resamples` how many samples of the held-back rows tell chance from a champion that is better.
    """

    rows: int = 20_000
    fewest: int = 200
    fewest_of_class: int = 10
    broken: float = 0.1
    held_back: float = 0.2
    folds: int = 4
    trials: int = 20
    metric: str = ""
    threshold: float | None = None
    resamples: int = 200
    seed: int = 0
