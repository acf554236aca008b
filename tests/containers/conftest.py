"""The system of docker-compose.yml, started once for all tests of this folder."""

import os
from pathlib import Path

import pytest

from tests.containers.podman import APPLICATION, Podman, note
from tests.containers.stack import Stack


@pytest.fixture(scope="session")
def podman(tmp_path_factory):
    """Podman, with the images that docker-compose.yml names."""
    kept = os.environ.get("MODSTREAM_TEST_FOLDER")
    engine = Podman(Path(kept) if kept else tmp_path_factory.mktemp("podman"))
    engine.build_stand_ins()
    note("images of Python, Kafka and Redis are there")
    size = engine.build(APPLICATION)
    note(f"image of the application: {size / 1e6:.0f} MB")
    with engine.api():
        yield engine


@pytest.fixture(scope="session")
def stack(podman):
    """The running system; its containers and volumes are removed at the end."""
    system = Stack(podman)
    system.clean()
    try:
        system.up()
        yield system
    finally:
        system.clean()
        note("removed")
