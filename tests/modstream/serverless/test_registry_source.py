"""A function that loads its version from Redis."""

import pytest

from modstream.registry.access import open_registry
from modstream.serverless.entry import Function
from modstream.serverless_settings import ServerlessSettings
from modstream.settings import load_settings
from tests.models.constant_model import publish_constant
from tests.modstream.serverless.conftest import GivenContainer

pytestmark = pytest.mark.real


def test_an_alias_is_the_version_that_it_pointed_at_when_the_container_started(
    redis_url, prefix, tmp_path
):
    settings = load_settings(
        home=tmp_path,
        redis=redis_url,
        prefix=prefix,
        serverless=ServerlessSettings("flights", "champion", source="registry"),
    )
    first, second = (Function(GivenContainer(settings)) for _ in range(2))
    event = {"features": {"distance": 1.0}, "version": "champion"}
    with open_registry(settings) as registry:
        publish_constant(registry, 1)
        versions = [first(event)["version"]]
        publish_constant(registry, 2)
        versions += [first(event)["version"], second(event)["version"]]

    assert versions == [1, 1, 2]
