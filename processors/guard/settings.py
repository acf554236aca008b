"""Settings of the guard, in their own module: reading them imports neither River nor sklearn."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """Limits of the guard's rules; a limit of 0 switches its rule off. See docs/learning.md."""

    max_unknown_features: int = 100
    """Maximum number of features of a row that are unknown to the model."""
    outlier_deviations: float = 30.0
    """Maximum distance of a number from the median of recent rows, in robust deviations."""
    max_loss: float = 10.0
    """Maximum loss of a row under the version that predicted it, in nats; for a regression, the
    maximum distance of its error from the median of recent errors, in robust deviations."""
    window: int = 1000
    """Number of recent rows over which medians and the soft rules' budget are taken."""
    min_rows: int = 50
    """Minimum number of rows before a row can be an outlier."""
    max_soft_share: float = 0.05
    """Maximum share of the recent rows that the soft rules reject; more is drift, and passes."""
    source_budget: float = 0.25
    """Maximum share of a source's recent rows that are rejected before the source is blocked."""
    source_window: int = 200
    """Number of recent rows of a source to which `source_budget` applies."""
    source_penalty_rows: int = 1000
    """Number of rows for which a source over its budget is blocked."""
    source_field: str = ""
    """Header or feature that names a row's source; if empty, the source is the partition."""
