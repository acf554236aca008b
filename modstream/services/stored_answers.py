"""Precomputed predictions as the gateway returns them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from modstream.models.prediction_store.errors import StoreUnavailable
from modstream.models.prediction_store.store import PredictionStore
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.operations.privacy.sealing import stored_key
from modstream.producers.gateway.catalog import ModelCatalog, StoredAnswer
from modstream.producers.gateway.errors import NotServing
from modstream.producers.gateway.models import CHAMPION
from modstream.settings import Settings


@contextmanager
def open_stored_answers(settings: Settings, catalog: ModelCatalog) -> Iterator["StoredAnswers"]:
    """Yield the store of the settings; it connects on first use."""
    with open_prediction_store(settings) as store:
        yield StoredAnswers(store, catalog, partial(stored_key, settings))


class StoredAnswers:
    """Looks predictions up in a store, and compares their version with the champion's."""

    def __init__(
        self, store: PredictionStore, catalog: ModelCatalog, stored_key: Callable[[str], str] = str
    ) -> None:
        self._store, self._stored_key = store, stored_key
        self._catalog = catalog

    def get(self, model: str, key: str) -> StoredAnswer | None:
        """Return the newest prediction of a key, or None.

        Raises:
            NotServing: the store or the registry does not respond.
        """
        try:
            found = self._store.get(model, self._stored_key(key))
        except StoreUnavailable as error:
            raise NotServing(f"the prediction store does not respond: {error}") from None
        if found is None:
            return None
        described = self._catalog.describe(model, CHAMPION)
        champion = None if described is None else described.properties["version"]
        is_stale = champion is not None and champion != str(found.version)
        age = found.age_seconds()
        return StoredAnswer(model, found.version, found.outputs_json, age, is_stale)
