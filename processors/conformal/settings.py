"""Settings of conformal sets in answers; this module imports no other of modstream."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServedSetSettings:
    """Which models' answers have a conformal set or interval, and how their thresholds adapt."""

    coverage: dict[str, float] = field(default_factory=dict)
    """The share of labels that the sets or intervals of each model are to contain, above 0 and
    below 1, such as `{"online": 0.9}`. Answers of other models have none."""
    step: float = 0.005
    """How much each label changes the adaptive level (gamma), at most: where labels are late, the
    step is smaller. A smaller one is slower and smoother."""
    window: int = 2000
    """Number of newest labels of a model whose quantile is the threshold."""
    min_labels: int = 500
    """Number of labels of a model before its first set or interval. Of so many, the quantile is
    one of a coverage that differs from 0.9 by 0.013 on average (standard deviation)."""
    refresh_seconds: float = 1.0
    """Seconds after which thresholds are published again by the calibrator, and read again by a
    worker."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not all(0 < one < 1 for one in self.coverage.values()):
            raise ValueError("a coverage is a number above 0 and below 1")
        if self.step < 0 or self.window < 1 or self.min_labels < 1:
            raise ValueError("the step is not negative, and window and min_labels are at least 1")
        if self.refresh_seconds <= 0:
            raise ValueError("the seconds are a positive number")
