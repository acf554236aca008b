"""The SHA-256 of an artifact is computed once per publication and once per load."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from modstream.models.errors import HashMismatch
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.registry import Registry
from modstream.models.serving.loader import load_version
from tests.models.constant_model import constant_artifact, constant_spec, publish_constant

pytestmark = pytest.mark.real


@pytest.fixture
def hashed(monkeypatch):
    """The sizes of all contents whose SHA-256 is computed."""
    sizes = []
    sha256 = hashlib.sha256

    def counting(content=b"", **options):
        sizes.append(len(content))
        return sha256(content, **options)

    monkeypatch.setattr(hashlib, "sha256", counting)
    return sizes


@pytest.fixture
def registry_with_backup(redis_url, prefix, tmp_path):
    settings = RegistrySettings(prefix=prefix, keep_artifacts=3, backup_dir=tmp_path / "backup")
    with Registry(redis_url, settings) as registry:
        yield registry


def test_publishing_hashes_the_artifact_once(registry_with_backup, hashed):
    publish_constant(registry_with_backup, 1)
    content = constant_artifact(2)
    hashed.clear()

    registry_with_backup.publish(constant_spec("flights", 2), content)

    assert hashed == [len(content)]


def test_publishing_under_contention_hashes_each_artifact_once(registry_with_backup, hashed):
    publish_constant(registry_with_backup, 0)
    contents = {number: constant_artifact(number) for number in range(1, 21)}
    hashed.clear()

    def publish(number):
        registry_with_backup.publish(constant_spec("flights", number), contents[number])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish, contents))

    assert sorted(hashed) == sorted(map(len, contents.values()))


def test_a_first_load_hashes_the_artifact_once(registry_with_backup, trust, tmp_path, hashed):
    card = publish_constant(registry_with_backup, 1)
    (tmp_path / "backup" / "flights" / "1.json").unlink()
    hashed.clear()

    load_version(registry_with_backup, trust, card, warm_up_rows=1)

    assert hashed == [card.size]
    assert (tmp_path / "backup" / "flights" / "1.json").exists()


def test_bytes_of_another_artifact_in_redis_are_rejected(registry, client, prefix):
    card = publish_constant(registry, 1)
    client.set(RegistryKeys(prefix).artifact("flights", card.sha256), constant_artifact(2))

    with pytest.raises(HashMismatch):
        registry.artifact(card)
