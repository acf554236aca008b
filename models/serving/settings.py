"""Settings of the model cache, apart from the cache so that they import no library."""

from dataclasses import dataclass

from modstream.models.trial.settings import TrialLimits


@dataclass(frozen=True, slots=True)
class ModelCacheSettings:
    """Size limit, pinned models and refresh times of a model cache."""

    poll_seconds: float = 0.5
    """How often the registry is polled for changes whose notification was lost."""
    max_bytes: int = 1024**3
    """Limit for the artifacts of all loaded versions; runtimes may take several times as much."""
    pinned: frozenset[str] = frozenset()
    """Names of the models that are never evicted once they are loaded."""
    warm_up_rows: int = 32
    """Rows of the synthetic batch that a version must predict before it serves."""
    not_found_ttl_seconds: float = 1.0
    """How long a failed first lookup is repeated without asking the registry again."""
    rejected_ttl_seconds: float = 30.0
    """How long a version that failed its checks is not tried again; doubled with each failure, up
    to `rejected_max_ttl_seconds`."""
    rejected_max_ttl_seconds: float = 3600.0
    """The longest time for which a version that failed again and again is not tried."""
    first_load_wait_seconds: float = 1.0
    """How long requests wait in all for a reference that is not loaded; after that they get the
    error `model_loading` until it is."""
    first_load_burst_seconds: float = 3.0
    """How long requests wait for all such references together, at most, before the share below
    counts."""
    first_load_share: float = 0.3
    """The share of its time that a worker may wait for references that are not loaded: a flood of
    them must not hold up the requests to other models."""
    load_limit_seconds: float = 30.0
    """Limit for the trial of a version, and for its loading after that."""
    trial_memory_bytes: int = 2 * 1024**3
    """Memory that a version may need in its trial, beside its libraries and its artifact."""
    parallel_loads: int = 4
    """How many versions are loaded at once; others wait for their turn."""

    @property
    def load_limit(self) -> float:
        """The seconds in which a version is tried and loaded, or given up."""
        return 2 * self.load_limit_seconds

    @property
    def trial_limits(self) -> TrialLimits:
        """What a version may use in its trial."""
        return TrialLimits(self.load_limit_seconds, self.trial_memory_bytes)
