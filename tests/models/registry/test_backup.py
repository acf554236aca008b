"""Backups on disk of the versions that pass through a registry."""

import pytest

from modstream.models.errors import HashMismatch
from modstream.models.registry.backup import ArtifactBackup, default_backup_folder
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import ModelNotFound, VersionConflict
from modstream.models.registry.registry import Registry
from modstream.models.schema.artifact import Artifact
from tests.models.constant_model import constant_artifact, constant_spec, publish_constant


@pytest.fixture
def backup(tmp_path):
    return ArtifactBackup(tmp_path / "backup")


@pytest.fixture
def registry_with_backup(redis_url, prefix, tmp_path):
    """A registry that keeps three artifacts per model, in Redis and in the backup."""
    settings = RegistrySettings(prefix=prefix, keep_artifacts=3, backup_dir=tmp_path / "backup")
    with Registry(redis_url, settings) as registry:
        yield registry


def artifact_of(number):
    return Artifact(constant_artifact(number))


def card_and_artifact(number, version=1):
    artifact = artifact_of(number)
    return constant_spec("flights", number).make_card(version, artifact), artifact


def test_a_backup_returns_the_exact_card_and_artifact(backup):
    card, artifact = card_and_artifact(7)
    signed = card.model_copy(update={"signature": "a signature"})

    backup.put(signed, artifact)

    assert backup.get("flights", 1) == (signed, artifact)
    assert backup.versions("flights") == {1}


def test_a_version_without_a_backup_is_none(backup):
    assert backup.get("flights", 1) is None
    assert backup.versions("flights") == set()


def test_the_artifact_of_another_card_is_rejected(backup):
    card, _ = card_and_artifact(7)

    with pytest.raises(HashMismatch):
        backup.put(card, artifact_of(8))

    assert backup.versions("flights") == set()


@pytest.mark.parametrize("suffix", ["json", "bin"])
@pytest.mark.parametrize("damage", [lambda p: p.write_bytes(b"{}"), lambda p: p.unlink()])
def test_a_damaged_backup_is_ignored_and_repaired_by_the_next_put(backup, tmp_path, suffix, damage):
    card, artifact = card_and_artifact(7)
    backup.put(card, artifact)
    damage(tmp_path / "backup" / "flights" / f"1.{suffix}")

    assert backup.get("flights", 1) is None
    backup.put(*card_and_artifact(8))
    backup.put(card, artifact)
    assert backup.get("flights", 1) == (card, artifact)


def test_keep_only_deletes_the_backups_of_other_versions(backup, tmp_path):
    for version in (1, 2, 3):
        backup.put(*card_and_artifact(version, version))

    backup.keep_only("flights", {1, 3, 9})

    assert backup.versions("flights") == {1, 3}
    assert len(list((tmp_path / "backup" / "flights").iterdir())) == 4


def test_the_default_folder_of_a_new_home_is_backup(tmp_path):
    assert default_backup_folder(tmp_path) == tmp_path / "backup"
    assert list(tmp_path.iterdir()) == []


def test_the_former_default_folder_is_renamed(tmp_path):
    card, artifact = card_and_artifact(7)
    ArtifactBackup(tmp_path / "cellar").put(card, artifact)

    folder = default_backup_folder(tmp_path)

    assert folder == default_backup_folder(tmp_path) == tmp_path / "backup"
    assert ArtifactBackup(folder).get("flights", 1) == (card, artifact)
    assert not (tmp_path / "cellar").exists()


def test_a_home_with_both_folders_keeps_both(tmp_path):
    (tmp_path / "cellar").mkdir()
    (tmp_path / "backup").mkdir()

    assert default_backup_folder(tmp_path) == tmp_path / "backup"
    assert (tmp_path / "cellar").is_dir()


@pytest.mark.real
def test_published_and_fetched_versions_are_backed_up_while_redis_stores_them(
    registry_with_backup, backup
):
    registry = registry_with_backup
    publish_constant(registry, 1, alias="frozen")
    for number in range(2, 8):
        publish_constant(registry, number)

    assert backup.versions("flights") == registry.stored_versions("flights") == {1, 5, 6, 7}
    assert backup.get("flights", 6) == (registry.card("flights", 6), artifact_of(6))

    backup.keep_only("flights", set())
    registry.artifact(registry.card("flights", 5))
    assert backup.versions("flights") == {5}


@pytest.mark.real
def test_a_wiped_registry_deletes_no_backup(registry_with_backup, backup, client, prefix):
    for number in (1, 2, 3):
        publish_constant(registry_with_backup, number)
    client.delete(*client.keys(f"{prefix}:*"))

    publish_constant(registry_with_backup, 4, alias=None)

    assert backup.versions("flights") >= {2, 3}


@pytest.mark.real
def test_a_version_is_published_even_if_the_backup_cannot_be_written(redis_url, prefix, tmp_path):
    (tmp_path / "file").touch()
    settings = RegistrySettings(prefix=prefix, backup_dir=tmp_path / "file")

    with Registry(redis_url, settings) as registry:
        card = publish_constant(registry, 1)

        assert registry.artifact(card) == artifact_of(1)


@pytest.mark.real
def test_a_restored_version_keeps_its_number_and_no_number_is_assigned_twice(registry):
    registry.restore(*card_and_artifact(5, version=5))
    registry.reserve("flights", 7)

    assert registry.card("flights", 5) == registry.newest("flights")
    assert registry.artifact(registry.card("flights", 5)) == artifact_of(5)
    assert registry.stored_versions("flights") == {5}
    assert publish_constant(registry, 8).version == 8


@pytest.mark.real
def test_restoring_does_not_change_an_existing_version(registry):
    existing = publish_constant(registry, 1)
    card, artifact = card_and_artifact(2)

    assert registry.restore(card, artifact) == existing
    assert registry.card("flights", 1) == existing
    assert registry.artifact(existing) == artifact_of(1)
    with pytest.raises(HashMismatch):
        registry.restore(card, artifact_of(3))
    with pytest.raises(ModelNotFound):
        registry.card("flights", 2)


@pytest.mark.real
def test_a_version_is_rejected_if_its_parent_was_never_published(registry):
    orphan = constant_spec("flights", 9).model_copy(update={"parent": 8})

    with pytest.raises(VersionConflict, match="expected version 8"):
        registry.publish(orphan, constant_artifact(9))

    registry.reserve("flights", 8)
    assert registry.publish(orphan, constant_artifact(9)).version == 9
