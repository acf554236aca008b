"""Stale predictions: those that another version made than the one that an alias names."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modstream.broker.wire.features import expand_rows
from modstream.models.prediction_store.store import PredictionStore
from modstream.operations.precompute.source_rows import SourceRow


@dataclass(slots=True)
class StaleRows:
    """Reads the keys whose predictions are stale, with the features that they were made from.

    `without_features` counts those whose features were not recorded, or are not those of one row:
    they are left out, and can be predicted again from their source only.
    """

    store: PredictionStore
    model: str
    version: int
    without_features: int = 0

    def read(self) -> Iterator[SourceRow]:
        """Yield the keys with their features."""
        self.without_features = 0
        for one in self.store.by_other_versions(self.model, self.version):
            features: Any = expand_rows(one.features)
            if isinstance(features, dict):
                yield SourceRow(one.key, features)
            else:
                self.without_features += 1
