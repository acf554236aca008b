"""Settings of a learner, in their own module: reading them imports neither River nor sklearn."""

from dataclasses import dataclass, field

from modstream.processors.guard.settings import GuardSettings


@dataclass(frozen=True, slots=True)
class InputDriftSettings:
    """How the features of learned rows are monitored for drift."""

    sample_every: int = 10
    """Monitor one row in this many; 0 switches the monitor off."""
    delta: float = 1e-6
    """ADWIN's delta, for all features together."""


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
