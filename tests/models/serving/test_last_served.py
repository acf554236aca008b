"""A worker that starts serves the last good version if its alias cannot be followed."""

from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from modstream.models.errors import UnreadableArtifact, UntrustedModel
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import RegistryError, UntrustedAlias
from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.registry import Registry
from modstream.models.security.signing import SigningKey, Trust
from modstream.models.serving.model_cache import ModelCache
from modstream.models.serving.settings import ModelCacheSettings
from tests.models.constant_model import constant_spec, publish_constant, served_constant
from tests.models.timing import ManualClock

pytestmark = pytest.mark.real
NAME = "flights"
SETTINGS = ModelCacheSettings(rejected_ttl_seconds=0.001, not_found_ttl_seconds=0.001)


@pytest.fixture
def machine(redis_url, prefix, tmp_path):
    """A machine that trusts one key: it opens registries with one folder of backups."""
    return Machine(redis_url, RegistrySettings(prefix=prefix, backup_dir=tmp_path))


class Machine:
    def __init__(self, url, settings):
        self.key = SigningKey.generate("here")
        self.trust = Trust([self.key.public_key], "here")
        self.url, self.settings = url, settings

    def registry(self):
        return Registry(self.url, self.settings, self.key, self.trust)

    def start_worker(self, registry):
        return ModelCache(registry, self.trust, SETTINGS)


def move_without_key(client, keys):
    client.hset(keys.aliases(NAME), "champion", "1")


def damage_card(client, keys):
    client.hset(keys.cards(NAME), "2", "{}")


def forge_card(client, keys):
    forged = client.hget(keys.cards(NAME), "2").replace(b'"task":"binary"', b'"task":"regression"')
    client.hset(keys.cards(NAME), "2", forged)


def damage_artifact(client, keys):
    for key in client.scan_iter(f"{keys.artifact(NAME, '')}*"):
        client.set(key, b"damaged")


def delete_artifacts(client, keys):
    for key in client.scan_iter(f"{keys.artifact(NAME, '')}*"):
        client.delete(key)


def delete_cards(client, keys):
    client.delete(keys.cards(NAME))


@pytest.mark.parametrize(
    "harm",
    [
        *(move_without_key, damage_card, forge_card, damage_artifact),
        *(delete_artifacts, delete_cards),
    ],
)
def test_a_restarted_worker_serves_what_it_served_before(machine, client, prefix, harm):
    with machine.registry() as registry:
        publish_constant(registry, 1)
        publish_constant(registry, 2)
        assert served_constant(machine.start_worker(registry).load(NAME)) == 2
    harm(client, RegistryKeys(prefix))

    with machine.registry() as registry, capture_logs() as logs:
        restarted = machine.start_worker(registry)
        assert served_constant(restarted.load(NAME)) == 2
        assert (NAME, "champion") in restarted.problems

        # A publisher mends the alias, and the worker follows it again.
        publish_constant(registry, 3)
        registry.promote(NAME, 3)
        restarted.refresh()
        assert served_constant(restarted.load(NAME)) == 3
        assert not restarted.problems

    assert "model not loaded, serving the last good version" in [one["event"] for one in logs]


def test_a_version_that_was_swapped_in_is_the_last_good_one(machine, client, prefix):
    with machine.registry() as registry:
        publish_constant(registry, 1)
        worker = machine.start_worker(registry)
        worker.load(NAME)
        publish_constant(registry, 2)
        worker.refresh()
        registry.publish(constant_spec(NAME, 3), b"not a model")
        worker.refresh()
        assert served_constant(worker.load(NAME)) == 2

    with machine.registry() as registry:
        restarted = machine.start_worker(registry)
        assert served_constant(restarted.load(NAME)) == 2
        with pytest.raises(UnreadableArtifact):
            restarted.load(NAME, 3)


def test_a_backup_that_was_forged_is_not_served(machine, client, prefix, tmp_path):
    with machine.registry() as registry:
        publish_constant(registry, 1)
        machine.start_worker(registry).load(NAME)
    move_without_key(client, RegistryKeys(prefix))
    client.hset(RegistryKeys(prefix).aliases(NAME), "champion", "7")
    (card,) = tmp_path.glob(f"{NAME}/1.json")
    card.write_text(card.read_text().replace('"task":"binary"', '"task":"regression"'))

    with machine.registry() as registry, pytest.raises(UntrustedAlias):
        machine.start_worker(registry).load(NAME)


def test_a_backup_that_failed_is_tried_again_after_a_while(machine, client, prefix, tmp_path):
    with machine.registry() as registry:
        publish_constant(registry, 1)
        machine.start_worker(registry).load(NAME)
    move_without_key(client, RegistryKeys(prefix))
    client.hset(RegistryKeys(prefix).aliases(NAME), "champion", "7")
    (card,) = tmp_path.glob(f"{NAME}/1.json")
    genuine, clock = card.read_text(), ManualClock()
    card.write_text(genuine.replace('"task":"binary"', '"task":"regression"'))
    settings = ModelCacheSettings(rejected_ttl_seconds=30, not_found_ttl_seconds=1)

    with machine.registry() as registry:
        cache = ModelCache(registry, machine.trust, settings, clock)
        with pytest.raises(UntrustedAlias):
            cache.load(NAME)
        card.write_text(genuine)
        for _ in range(20):  # More often than a failure is forgotten.
            clock.now += 2
            with suppress(UntrustedAlias):
                cache.load(NAME)
        assert served_constant(cache.load(NAME)) == 1


def test_a_machine_that_served_nothing_has_nothing_to_fall_back_to(machine, client, prefix):
    with machine.registry() as registry:
        publish_constant(registry, 1)
        client.hdel(RegistryKeys(prefix).moves(NAME), "champion")

        with pytest.raises(UntrustedAlias, match="it is not signed"):
            machine.start_worker(registry).load(NAME)


def test_the_key_of_another_publisher_is_refused_after_a_restart(machine):
    with machine.registry() as registry:
        publish_constant(registry, 1)
        machine.start_worker(registry).load(NAME)
    machine.trust = Trust([SigningKey.generate("here").public_key], "here")

    unrestricted = Registry(machine.url, machine.settings, machine.key)
    with unrestricted, pytest.raises(UntrustedModel):
        machine.start_worker(unrestricted).load(NAME)
    with machine.registry() as registry, pytest.raises(RegistryError):
        machine.start_worker(registry).load(NAME)
