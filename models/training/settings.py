"""Settings of a retraining; reading them imports neither scikit-learn nor Optuna."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a challenger is trained, and what it has to reach in order to be published.

    Rows: at most the newest `max_rows` feedback rows are used. Training is rejected with fewer than
    `min_rows` rows, with fewer than `min_rows_per_class` rows of a class, or if the guard rejects
    more than the share `max_rejected_share`, 0 to 1.

    Search: the newest share `test_share`, 0 to 1, is used only by the acceptance test. The other
    rows are cross-validated in `folds` time-ordered folds, for each of `trials` random sets of
    hyperparameters.

    Acceptance: `metric` decides; an empty string selects AUC, accuracy or R2 by the task. The
    challenger has to reach `threshold`, if one is set, and the champion must not be significantly
    better on `bootstrap_samples` bootstrap samples of the test rows.
    """

    max_rows: int = 20_000
    min_rows: int = 200
    min_rows_per_class: int = 10
    max_rejected_share: float = 0.1
    test_share: float = 0.2
    folds: int = 4
    trials: int = 20
    metric: str = ""
    threshold: float | None = None
    bootstrap_samples: int = 200
    seed: int = 0
