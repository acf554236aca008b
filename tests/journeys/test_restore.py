"""A wiped registry is restored from the shell."""

import pytest
import redis

from modstream.models.registry.keys import RegistryKeys
from modstream.registry.events import publish_event
from tests.journeys.conftest import publish_untrained

pytestmark = [pytest.mark.real, pytest.mark.journey]


@pytest.fixture
def wiped(system):
    """A system whose Redis has lost the only model."""
    publish_untrained(system, "online")
    with system.registry() as registry:
        publish_event(system.settings, registry.card("online"), "publish", "champion")
    names = RegistryKeys(f"{system.settings.prefix}modstream").names.removesuffix("names")
    with redis.Redis.from_url(system.settings.redis) as client:
        client.delete(*client.keys(f"{names}*"))
    with system.registry() as registry:
        assert registry.names() == []
    return system


def test_a_wiped_registry_is_checked_and_restored(wiped):
    checked = wiped.run("models", "restore", "--dry-run")
    done = wiped.run("models", "restore")

    assert (checked.returncode, done.returncode) == (0, 0)
    assert checked.stdout.count("restorable") == 2, "a version and its alias"
    assert done.stdout.count("restored") == 2
    with wiped.registry() as registry:
        assert registry.resolve("online") == 1


def test_a_model_without_a_backup_is_reported_as_lost(wiped, tmp_path):
    done = wiped.run("models", "restore", "--from", str(tmp_path / "nothing"))

    assert done.returncode == 1
    assert done.stdout.count("lost") == 2
