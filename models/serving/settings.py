"""Settings of the model cache, apart from the cache so that they import no library."""

from dataclasses import dataclass


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
    """How long a version that failed its checks is not tried again."""
