"""A function whose version 1 of `flights` always has the logit 1."""

import json
from pathlib import Path

import pytest

from modstream.models.registry.backup import ArtifactBackup
from modstream.models.schema.artifact import Artifact
from modstream.registry.backups import backup_folder
from modstream.serverless.container import Container
from modstream.serverless.entry import Function
from modstream.serverless_settings import ServerlessSettings
from modstream.settings import load_settings
from tests.models.constant_model import constant_artifact, constant_spec

EVENTS = Path(__file__).parent / "events"


class GivenContainer(Container):
    """A container with given settings."""

    def __init__(self, settings):
        self.__dict__["settings"] = settings


@pytest.fixture
def read_event():
    return lambda name: json.loads((EVENTS / f"{name}.json").read_text())


def store_constant(settings, number):
    """Store the backup of the version that always has the logit `number`."""
    artifact = Artifact(constant_artifact(number))
    card = constant_spec("flights", number).make_card(number, artifact)
    ArtifactBackup(backup_folder(settings)).put(card, artifact)


def settings_of(home, **more):
    """Return settings with version 1 among the backups."""
    serverless = ServerlessSettings("flights", "1", source="backup")
    settings = load_settings(**{"home": home, "serverless": serverless, **more})
    store_constant(settings, 1)
    return settings


@pytest.fixture
def given_settings(tmp_path):
    return settings_of(tmp_path)


@pytest.fixture
def function(given_settings):
    return Function(GivenContainer(given_settings))


@pytest.fixture(scope="session")
def shared_function(tmp_path_factory):
    return Function(GivenContainer(settings_of(tmp_path_factory.mktemp("function"))))


@pytest.fixture
def unavailable(tmp_path):
    """A function whose version cannot be loaded now."""
    serverless = ServerlessSettings("flights", "1", source="registry")
    settings = load_settings(home=tmp_path, redis="redis://127.0.0.1:1/0", serverless=serverless)
    return Function(GivenContainer(settings))
