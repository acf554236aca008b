"""Counts the predictions that the prediction store keeps, in the background."""

from collections.abc import Callable, Mapping
from threading import Event
from time import monotonic, time

from modstream.dashboard.registry_facts import ModelFacts
from modstream.dashboard.snapshots import StoredPredictions, StoredVersion
from modstream.models.errors import ModelError
from modstream.models.prediction_store.store import PredictionStore, VersionKeys

MIN_PAUSE_S = 30.0
"""Time between two counts."""
FIRST_PAUSE_S = 2.0
"""Time before the models are known for the first time, and the first count begins."""
MAX_SHARE = 0.02
"""Share of the time that is spent on counting, which takes time in proportion to the keys."""
MAX_VERSIONS = 50
"""Number of versions of a model that are shown, those with most keys."""


class StoreSampler:
    """Counts the keys of each model in a store; `run` is the target of one background thread.

    `latest` has the models with predictions in the store, by name. While the store is not
    available, it keeps its last counts.
    """

    def __init__(
        self,
        open_store: Callable[[], PredictionStore],
        topic: str,
        models: Callable[[], Mapping[str, ModelFacts]],
    ) -> None:
        self._open_store = open_store
        self._topic = topic
        self._models = models
        self.latest: Mapping[str, StoredPredictions] = {}
        self.number = 0

    def run(self, stop: Event) -> None:
        """Count until `stop` is set."""
        pause = FIRST_PAUSE_S
        while not stop.wait(pause):
            started = monotonic()
            try:
                self.latest = self.sample()
                self.number += 1
            except ModelError:
                pass
            pause = max(MIN_PAUSE_S, (monotonic() - started) / MAX_SHARE)

    def sample(self) -> dict[str, StoredPredictions]:
        """Count the keys of all models of the registry, if a materializer fills the store.

        Raises:
            ModelError: the store is not available.
        """
        with self._open_store() as store:
            if not store.offsets(self._topic):
                return {}
            found = {
                name: (facts, store.version_ages(name)) for name, facts in self._models().items()
            }
        return {
            name: stored_predictions(name, facts.champion, ages, int(time() * 1000))
            for name, (facts, ages) in found.items()
            if ages
        }


def stored_predictions(
    model: str, champion: int | None, ages: Mapping[int, VersionKeys], now: int
) -> StoredPredictions:
    """Return the counts of a model's keys, the newest version first."""
    versions = [
        StoredVersion(version, *counted, is_stale=version != champion)
        for version, counted in sorted(ages.items(), reverse=True)
    ]
    return StoredPredictions(
        model=model,
        at=now,
        champion=champion,
        keys=sum(one.keys for one in versions),
        stale=sum(one.keys for one in versions if one.is_stale),
        versions=tuple(versions[:MAX_VERSIONS]),
    )
