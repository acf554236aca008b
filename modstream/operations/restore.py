"""Comparison of the registry with model-events; restores from the backup what Redis lost."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import ModelEvent
from modstream.broker.wire.topics import Topics
from modstream.models.registry.backup import ArtifactBackup
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.registry import Registry


class RestoreStatus(StrEnum):
    """The status of a published version, or of an alias, in the registry."""

    PRESENT = "present"
    CARD_ONLY = "card only"
    """The registry has the card; retention has deleted the artifact, as for old versions."""
    RESTORABLE = "restorable"
    """Missing in the registry; this home folder's backup has a copy."""
    RESTORED = "restored"
    """Was missing in the registry and has been restored from the backup."""
    LOST = "lost"
    """Neither the registry nor this home folder's backup has it."""
    CONFLICT = "conflict"
    """The number, or the alias, belongs to another version than the published one."""


class RestoreFinding(NamedTuple):
    """One version of a model, or one alias and the version that it last pointed to."""

    model: str
    version: int
    alias: str | None
    status: RestoreStatus


@dataclass(slots=True)
class PublishedState:
    """The state that model-events describes: each version's hash, and each alias's last version."""

    versions: dict[str, dict[int, str | None]] = field(default_factory=lambda: defaultdict(dict))
    aliases: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def of(cls, events: Iterable[ModelEvent]) -> "PublishedState":
        """Fold events in the order of their topic."""
        state = cls()
        for event in events:
            state.versions[event.model][event.version] = event.sha256
            if event.alias is not None:
                state.aliases[event.model][event.alias] = event.version
        return state


@dataclass(frozen=True, slots=True)
class Restorer:
    """Compares the registry with the published state and restores what is missing.

    With `dry_run` nothing is written. Existing versions and aliases are never changed. The numbers
    of lost versions are reserved, so that they are not given to other versions.
    """

    registry: Registry
    backup: ArtifactBackup
    dry_run: bool = False

    def run(self, published: PublishedState) -> Iterator[RestoreFinding]:
        """Yield a finding for everything published; a model's versions first, then its aliases."""
        for name, versions in sorted(published.versions.items()):
            stored = self.registry.stored_versions(name)
            statuses = {
                version: self._check_version(name, version, sha256, stored)
                for version, sha256 in sorted(versions.items())
            }
            if not self.dry_run:
                self.registry.reserve(name, max(versions))
            for version, status in statuses.items():
                yield RestoreFinding(name, version, None, status)
            for alias, version in sorted(published.aliases[name].items()):
                status = self._check_alias(name, alias, version, statuses[version])
                yield RestoreFinding(name, version, alias, status)

    def _check_version(
        self, name: str, version: int, sha256: str | None, stored: set[int]
    ) -> RestoreStatus:
        try:
            card = self.registry.card(name, version)
        except ModelNotFound:
            return self._restore_version(name, version, sha256)
        if card.sha256 != sha256:
            return RestoreStatus.CONFLICT
        return RestoreStatus.PRESENT if version in stored else RestoreStatus.CARD_ONLY

    def _restore_version(self, name: str, version: int, sha256: str | None) -> RestoreStatus:
        copy = self.backup.get(name, version)
        if copy is None or copy[0].sha256 != sha256:
            return RestoreStatus.LOST
        if self.dry_run:
            return RestoreStatus.RESTORABLE
        is_restored = self.registry.restore(*copy) == copy[0]
        return RestoreStatus.RESTORED if is_restored else RestoreStatus.CONFLICT

    def _check_alias(
        self, name: str, alias: str, version: int, version_status: RestoreStatus
    ) -> RestoreStatus:
        current = self.registry.aliases(name).get(alias)
        if current is not None:
            is_same = current == version and version_status is not RestoreStatus.CONFLICT
            return RestoreStatus.PRESENT if is_same else RestoreStatus.CONFLICT
        is_available = version_status in {RestoreStatus.PRESENT, RestoreStatus.RESTORED}
        if is_available and not self.dry_run:
            self.registry.promote(name, version, alias, reason="restored from model-events")
            return RestoreStatus.RESTORED
        is_restorable = version_status in {RestoreStatus.PRESENT, RestoreStatus.RESTORABLE}
        return RestoreStatus.RESTORABLE if is_restorable else RestoreStatus.LOST


def read_published_state(connection: Connection, topics: Topics) -> PublishedState:
    """Read the published state from the topic model-events."""
    records = read_to_end(connection, [topics.model_events])
    return PublishedState.of(decode(ModelEvent, r.value) for r in records if r.value is not None)


class VersionRange(NamedTuple):
    """Consecutive versions of a model with the same status, or one alias of the model."""

    model: str
    alias: str | None
    first: int
    last: int
    status: RestoreStatus


def merge_findings(findings: Iterable[RestoreFinding]) -> list[VersionRange]:
    """Merge consecutive versions of a model that have the same status."""
    ranges: list[VersionRange] = []
    for model, version, alias, status in findings:
        last = ranges[-1] if ranges else None
        is_version = alias is None
        if is_version and last and (last.model, last.alias, last.status) == (model, None, status):
            ranges[-1] = last._replace(last=version)
        else:
            ranges.append(VersionRange(model, alias, version, version, status))
    return ranges
