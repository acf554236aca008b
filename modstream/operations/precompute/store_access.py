"""The prediction store that the settings name."""

from modstream.models.prediction_store.open_store import open_store
from modstream.models.prediction_store.store import PredictionStore
from modstream.settings import Settings


def open_prediction_store(settings: Settings) -> PredictionStore:
    """Return the store of this installation, which connects on first use.

    Raises:
        UnknownStore: the configured URL is that of no supported store.
        StoreLibraryMissing: the store needs packages that are not installed.
    """
    store = settings.prediction_store
    prefix = f"{settings.prefix}modstream"
    return open_store(store.url or settings.redis_url, prefix, store.timeout_seconds)
