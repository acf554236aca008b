"""A registry and a backup folder written by an earlier version of the code are still read.

`earlier_registry.json` holds the Redis keys of that registry as the earlier code wrote them,
with artifacts in base64. Its aliases `good` and `aside` are no longer used.
"""

import json
from base64 import b64decode
from pathlib import Path

import pytest

from modstream.models.registry.backup import ArtifactBackup, default_backup_folder
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.refs import LAST_GOOD
from modstream.models.registry.registry import Registry
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.security.signing import Trust
from tests.models.version_specs import version_spec

DUMP = json.loads(Path(__file__).with_name("earlier_registry.json").read_text())
KEYS = {key.removeprefix("old:"): entry["value"] for key, entry in DUMP["keys"].items()}
CARDS = KEYS["cards:flights"]
TRUST = Trust([DUMP["trusted_key"]])


def artifact_of(card):
    return Artifact(b64decode(KEYS[f"artifact:flights:{card.sha256}"]))


@pytest.fixture
def earlier(redis_url, prefix, client):
    """The registry of the dump, below a prefix of the test's own."""
    for key, value in KEYS.items():
        write(client, f"{prefix}:{key}", value)
    with Registry(redis_url, RegistrySettings(prefix=prefix, keep_artifacts=3)) as registry:
        yield registry


def write(client, key, value):
    if ":artifact:" in key:
        client.set(key, b64decode(value))
    elif isinstance(value, str):
        client.set(key, value)
    elif isinstance(value, dict):
        client.hset(key, mapping=value)
    elif ":history:" in key:
        for entry_id, fields in value:
            client.xadd(key, fields, id=entry_id)
    else:
        client.sadd(key, *value)


@pytest.mark.parametrize("version", CARDS)
def test_the_signature_of_a_card_still_verifies(version):
    card = ModelCard.model_validate_json(CARDS[version])

    TRUST.verify(card)
    artifact_of(card).verify(card)
    assert_unchanged(json.loads(CARDS[version]), card.model_dump(mode="json"))


def assert_unchanged(earlier, now):
    """Assert that everything in an earlier document is as it was; fields may have been added."""
    if isinstance(earlier, dict):
        for key, value in earlier.items():
            assert_unchanged(value, now[key])
    elif isinstance(earlier, list):
        for value, other in zip(earlier, now, strict=True):
            assert_unchanged(value, other)
    else:
        assert earlier == now


def test_the_backup_folder_is_still_read(tmp_path):
    folder = tmp_path / "cellar" / "flights"
    folder.mkdir(parents=True)
    for version, text in CARDS.items():
        (folder / f"{version}.json").write_text(text)
        artifact = artifact_of(ModelCard.model_validate_json(text))
        (folder / f"{version}.bin").write_bytes(artifact.content)

    backup = ArtifactBackup(default_backup_folder(tmp_path))

    assert backup.versions("flights") == {1, 2, 3}
    for version, text in CARDS.items():
        card = ModelCard.model_validate_json(text)
        assert backup.get("flights", int(version)) == (card, artifact_of(card))


@pytest.mark.real
def test_the_registry_is_still_read(earlier):
    assert earlier.names() == ["flights"]
    for card, text in zip(earlier.versions("flights"), CARDS.values(), strict=True):
        assert_unchanged(json.loads(text), card.model_dump(mode="json"))
    assert earlier.newest("flights") == earlier.card("flights", 3)
    assert earlier.aliases("flights") == {"aside": 2, "challenger": 3, "champion": 2, "good": 1}
    assert earlier.stored_versions("flights") == {1, 2, 3}
    for card in earlier.versions("flights"):
        TRUST.verify(card)
        assert earlier.artifact(card) == artifact_of(card)
    moves = [
        (entry.action, entry.old, entry.new, entry.reason)
        for entry in earlier.history("flights")
        if entry.alias == "champion"
    ]
    assert moves == [
        ("publish", None, 1, "first version"),
        ("promote", 1, 2, "gate passed"),
        ("promote", 2, 3, "gate passed"),
        ("rollback", 3, 2, "labels turned round"),
    ]


@pytest.mark.real
def test_the_registry_is_still_written(earlier):
    published = earlier.publish(version_spec(offset=4, parent=3), b"model", alias="challenger")
    earlier.promote("flights", 1, LAST_GOOD)

    assert published.version == 4
    assert earlier.rollback("flights").version == 1
    assert earlier.aliases("flights") == {
        "aside": 2,
        "challenger": 4,
        "champion": 1,
        "good": 1,
        "last-good": 1,
    }
