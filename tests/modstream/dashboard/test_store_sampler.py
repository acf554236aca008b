"""The counts of the prediction store: by version, stale or not, and away."""

from contextlib import contextmanager
from threading import Event

import pytest

from modstream.dashboard import store_sampler
from modstream.dashboard.registry_facts import ModelFacts
from modstream.dashboard.snapshots import StoredVersion
from modstream.dashboard.store_sampler import StoreSampler
from modstream.models.prediction_store.errors import StoreUnavailable
from modstream.models.prediction_store.store import VersionKeys
from modstream.process.background import BackgroundThread

TOPIC = "flights.predictions"


class StubStore:
    """A store with predictions of one model."""

    def __init__(self):
        self.ages = {1: VersionKeys(5, 100, 200), 2: VersionKeys(3, 150, 300)}
        self.is_filled, self.is_away = True, False
        self.asked = Event()

    def offsets(self, topic):
        self.asked.set()
        if self.is_away:
            raise StoreUnavailable("localhost:6379", "no answer")
        return {f"{topic}:0": 9} if self.is_filled else {}

    def version_ages(self, model):
        return self.ages if model == "delay" else {}


@pytest.fixture
def store():
    return StubStore()


def sampler_of(store):
    @contextmanager
    def opened():
        yield store

    models = {"delay": ModelFacts({"champion": 2}, 2), "other": ModelFacts()}
    return StoreSampler(opened, TOPIC, lambda: models)


def test_keys_of_other_versions_than_the_champion_are_stale(store):
    found = sampler_of(store).sample()["delay"]

    assert (found.keys, found.stale, found.champion) == (8, 5, 2)
    assert found.versions == (
        StoredVersion(2, 3, 150, 300, is_stale=False),
        StoredVersion(1, 5, 100, 200, is_stale=True),
    )


def test_models_without_stored_predictions_are_left_out(store):
    assert set(sampler_of(store).sample()) == {"delay"}
    store.is_filled = False
    assert sampler_of(store).sample() == {}


def test_a_store_that_is_away_keeps_its_last_counts(store, monkeypatch):
    monkeypatch.setattr(store_sampler, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(store_sampler, "MIN_PAUSE_S", 0.01)
    sampler = sampler_of(store)
    with BackgroundThread("store", sampler.run) as thread:
        while not sampler.latest:
            assert store.asked.wait(5.0)
        store.is_away = True
        for _ in range(3):
            store.asked.clear()
            assert store.asked.wait(5.0)
        assert not thread.has_failed

    assert set(sampler.latest) == {"delay"}
