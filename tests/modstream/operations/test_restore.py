"""Restoring a registry that has lost what model-events describes."""

import pytest
import redis

from modstream.broker.wire.model_contracts import ModelEvent
from modstream.models.registry.backup import ArtifactBackup
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.registry import Registry
from modstream.operations.restore import (
    PublishedState,
    RestoreFinding,
    Restorer,
    RestoreStatus,
    merge_findings,
)
from tests.models.constant_model import publish_constant


class Installation:
    """A registry with a backup, and the events of what was published in it."""

    def __init__(self, url, prefix, folder):
        self.url, self.prefix = url, prefix
        self.backup = ArtifactBackup(folder)
        self.registry = Registry(
            url, RegistrySettings(prefix=prefix, keep_artifacts=3, backup_dir=folder)
        )
        self.events = []

    def publish(self, number, name="flights", alias="champion"):
        self.add_event(publish_constant(self.registry, number, name, alias), "publish", alias)

    def promote(self, version, alias):
        self.add_event(self.registry.promote("flights", version, alias), "promote", alias)

    def add_event(self, card, action, alias):
        self.events.append(
            ModelEvent(
                model=card.name,
                version=card.version,
                action=action,
                alias=alias,
                sha256=card.sha256,
                at=0,
            )
        )

    def flush_registry(self):
        with redis.Redis.from_url(self.url) as client:
            client.delete(*client.keys(f"{self.prefix}:*"))

    def restore(self, *, dry_run=False):
        restorer = Restorer(self.registry, self.backup, dry_run)
        return list(restorer.run(PublishedState.of(self.events)))


@pytest.fixture
def installation(redis_url, prefix, tmp_path):
    created = Installation(redis_url, prefix, tmp_path / "backup")
    yield created
    created.registry.close()


def statuses(findings):
    return [(f.alias or f.version, f.status.value) for f in findings]


@pytest.mark.real
def test_complete_registry_lacks_only_what_retention_deleted(installation):
    for number in range(1, 6):
        installation.publish(number)

    assert statuses(installation.restore()) == [
        (1, "card only"),
        (2, "card only"),
        (3, "present"),
        (4, "present"),
        (5, "present"),
        ("champion", "present"),
    ]


@pytest.mark.real
def test_lost_registry_is_restored_and_missing_backups_are_reported(installation):
    installation.publish(1, alias="frozen")
    for number in range(2, 6):
        installation.publish(number)
    installation.promote(4, "champion")
    installation.publish(1, name="old", alias="champion")
    cards = {version: installation.registry.card("flights", version) for version in (1, 3, 4, 5)}
    installation.backup.keep_only("old", set())
    installation.flush_registry()

    dry = installation.restore(dry_run=True)
    assert installation.registry.names() == []
    findings = installation.restore()

    restored = [
        (1, "restored"),
        (2, "lost"),
        (3, "restored"),
        (4, "restored"),
        (5, "restored"),
        ("champion", "restored"),
        ("frozen", "restored"),
        (1, "lost"),
        ("champion", "lost"),
    ]
    assert statuses(findings) == restored
    assert statuses(dry) == [
        (of, status.replace("restored", "restorable")) for of, status in restored
    ]
    assert {v: installation.registry.card("flights", v) for v in cards} == cards
    assert installation.registry.aliases("flights") == {"champion": 4, "frozen": 1}
    assert installation.registry.history("flights")[0].reason == "restored from model-events"
    installation.publish(6)
    installation.publish(2, name="old")
    assert installation.registry.newest("flights").version == 6
    assert installation.registry.newest("old").version == 2, "the lost number is not reused"
    again = statuses(installation.restore())
    assert again[:2] == [(1, "present"), (2, "lost")]
    assert {status for _, status in again}.isdisjoint({"restored", "conflict"})


@pytest.mark.real
def test_version_published_after_the_loss_is_kept_and_reported_as_a_conflict(installation):
    installation.publish(1)
    installation.flush_registry()
    newer = publish_constant(installation.registry, 2)

    assert statuses(installation.restore()) == [(1, "conflict"), ("champion", "conflict")]
    assert installation.registry.card("flights") == newer


@pytest.mark.real
def test_backup_of_another_version_is_not_restored(installation):
    installation.publish(1)
    events, installation.events = installation.events, []
    installation.flush_registry()
    installation.publish(2)
    installation.flush_registry()
    installation.events = events

    assert statuses(installation.restore()) == [(1, "lost"), ("champion", "lost")]
    assert installation.registry.names() == []


def test_consecutive_versions_with_the_same_status_are_merged():
    findings = [
        *(RestoreFinding("a", n, None, RestoreStatus.LOST) for n in range(1, 4)),
        RestoreFinding("a", 4, None, RestoreStatus.PRESENT),
        RestoreFinding("a", 4, "champion", RestoreStatus.PRESENT),
        RestoreFinding("b", 1, None, RestoreStatus.PRESENT),
        RestoreFinding("b", 1, "champion", RestoreStatus.PRESENT),
    ]

    ranges = merge_findings(findings)

    assert [(run.model, run.alias, run.first, run.last) for run in ranges] == [
        ("a", None, 1, 3),
        ("a", None, 4, 4),
        ("a", "champion", 4, 4),
        ("b", None, 1, 1),
        ("b", "champion", 1, 1),
    ]
