"""Settings of a learner, in their own module: reading them imports neither River nor sklearn."""

from dataclasses import dataclass, field
from math import inf

from modstream.processors.guard.settings import GuardSettings


@dataclass(frozen=True, slots=True)
class InputDriftSettings:
    """How the features of learned rows are monitored for drift."""

    sample_every: int = 10
    """Monitor one row in this many; 0 switches the monitor off."""
    delta: float = 1e-6
    """ADWIN's delta, for all features together."""


@dataclass(frozen=True, slots=True)
class MeanSettings:
    """A candidate whose answer is the mean of other candidates' answers."""

    parts: tuple[str, ...]
    """The candidates that it averages: by their log-odds, log-probabilities, or values."""
    weights: tuple[float, ...] = ()
    """A positive weight for each part; by default all weigh the same."""
    min_interval_seconds: float = 5.0
    """Minimum time between two versions of the mean, in seconds; each has the artifacts of all
    parts."""

    def __post_init__(self) -> None:
        """Refuse weights that do not fit the parts."""
        if not self.parts or len(set(self.parts)) < len(self.parts):
            raise ValueError("a mean has one or more parts, each of them once")
        if self.weights and len(self.weights) != len(self.parts):
            raise ValueError(f"{len(self.weights)} weights for {len(self.parts)} parts")
        if not all(0 < weight < inf for weight in self.weights):
            raise ValueError("a weight is a positive number")

    @property
    def weight_of_each(self) -> tuple[float, ...]:
        """The weight of each part."""
        return self.weights or (1.0,) * len(self.parts)


@dataclass(frozen=True, slots=True)
class LearnSettings:
    """How a learner learns."""

    dedup_ids: int = 20_000
    """Number of ids that are remembered, so that a row that the joiner repeats after a crash is
    learned once."""
    probe_rows: int = 8
    """Number of known good rows for which a new state must predict finite values."""
    metrics_window: int = 2000
    """Number of newest labels over which the metrics of a model or version are computed."""
    max_copy_time_share: float = 0.02
    """Maximum share of the time that copies of the model may take."""
    max_relearn_rows: int = 10_000
    """Maximum number of rows that are learned again when a row after them failed."""
    guard: GuardSettings = field(default_factory=GuardSettings)
    """Which rows may be learned."""
    input_drift: InputDriftSettings = field(default_factory=InputDriftSettings)
    """How input drift is detected."""
