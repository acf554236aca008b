"""Settings of the prediction store, apart from it so that they import no library."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PredictionStoreSettings:
    """Where the newest prediction of each key is kept."""

    url: str = ""
    """URL of the store: `redis://host:6379/0` or `postgresql://user@host/database`; by default the
    Redis of the model registry."""
    timeout_seconds: float = 5.0
    """Limit for opening a connection, and for each reply."""
    max_batch_records: int = 5_000
    """Maximum number of predictions that the materializer writes in one transaction."""
