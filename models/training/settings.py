"""Settings of a retraining; reading them imports neither scikit-learn nor Optuna."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a challenger is trained, and what it has to reach in order to be published."""

    max_rows: int = 20_000
    """Maximum number of feedback rows that are used, the newest ones."""
    min_rows: int = 200
    """Minimum number of rows; with fewer, nothing is trained."""
    min_rows_per_class: int = 10
    """Minimum number of rows of each class; with fewer, nothing is trained."""
    max_rejected_share: float = 0.1
    """Maximum share of the rows, 0 to 1, that the guard rejects; with more, nothing is trained."""
    test_share: float = 0.2
    """Share of the rows, 0 to 1, that only the acceptance test uses: the newest ones."""
    folds: int = 4
    """Number of time-ordered folds in which the other rows are cross-validated."""
    trials: int = 60
    """Maximum number of sets of hyperparameters that are tried."""
    budget_seconds: float = 60.0
    """Maximum time of the search, in seconds of the budget's clock. The fit of the chosen model and
    its test come after it."""
    budget_clock: Literal["cpu", "wall"] = "cpu"
    """The clock of the budget: the processor time of this process, which a busy machine does not
    change, or the time that passes."""
    threads: int = 1
    """Number of threads that fit one model of gradient boosting."""
    searcher: Literal["halving", "flaml"] = "halving"
    """What searches: successive halving, or FLAML, which the extra `automl` installs."""
    metric: str = ""
    """The metric that decides; an empty string selects AUC, accuracy or R2 by the task."""
    threshold: float | None = None
    """The value of the metric that the challenger must reach, if it is set."""
    compare_champion: bool = True
    """Whether a challenger is rejected if the champion was significantly better on the test rows.
    Not so for a candidate behind the promotion gate, which may serve as a part of a mean."""
    fit_all: bool = False
    """Whether an accepted challenger is fitted again on all rows, those of the test too, before it
    is published. The metrics are those of the model that was tested."""
    cost_false_positive: float | None = None
    """Cost of predicting the second class of two where the first is true; with
    `cost_false_negative`, a decision threshold is chosen."""
    cost_false_negative: float | None = None
    """Cost of predicting the first class of two where the second is true."""
    bootstrap_samples: int = 200
    """Number of bootstrap samples of the test rows on which the champion must not be significantly
    better."""
    seed: int = 0
    """Random seed; the same seed trains the same challenger on the same rows, unless the budget
    ends the search."""
