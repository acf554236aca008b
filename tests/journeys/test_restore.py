"""A wiped registry, refilled from the shell."""

import pytest
import redis

from modstream.models.registry.keys import Keys
from modstream.registry.events import tell
from tests.journeys.conftest import publish_untrained

pytestmark = [pytest.mark.real, pytest.mark.journey]


@pytest.fixture
def wiped(system):
    """A system whose Redis has lost its only model."""
    publish_untrained(system, "online")
    with system.registry() as registry:
        tell(system.settings, registry.card("online"), "publish", "champion")
    names = Keys(f"{system.settings.prefix}modstream").names.removesuffix("names")
    with redis.Redis.from_url(system.settings.redis) as client:
        client.delete(*client.keys(f"{names}*"))
    with system.registry() as registry:
        assert registry.names() == []
    return system


def test_a_wiped_registry_is_looked_at_and_refilled(wiped):
    looked = wiped.run("models", "restore", "--dry-run")
    done = wiped.run("models", "restore")

    assert (looked.returncode, done.returncode) == (0, 0)
    assert looked.stdout.count("restorable") == 2, "a version and its alias"
    assert done.stdout.count("restored") == 2
    with wiped.registry() as registry:
        assert registry.resolve("online") == 1


def test_what_nobody_has_a_copy_of_is_told(wiped, tmp_path):
    done = wiped.run("models", "restore", "--from", str(tmp_path / "nothing"))

    assert done.returncode == 1
    assert done.stdout.count("gone") == 2
