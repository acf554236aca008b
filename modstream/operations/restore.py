"""The registry held against model-events, and what Redis has lost put back from the cellar."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import ModelEvent
from modstream.broker.wire.topics import Topics
from modstream.models.errors import ModelNotFound
from modstream.models.registry.backup import Cellar
from modstream.models.registry.registry import Registry


class Fate(StrEnum):
    """How a version, or an alias, that was told of stands in the registry."""

    THERE = "there"
    CARD_ONLY = "card only"
    """Retention has deleted the artifact, as it does with old versions."""
    RESTORABLE = "restorable"
    """Not in the registry; this home's cellar has a copy."""
    RESTORED = "restored"
    """As before, and now put back."""
    GONE = "gone"
    """Neither in the registry nor in this home's cellar."""
    ANOTHER = "another"
    """The number, or the alias, stands for another version than the one that was told of."""


class Finding(NamedTuple):
    """One version of a model, or one alias and the version it pointed at last."""

    model: str
    version: int
    alias: str | None
    fate: Fate


@dataclass(slots=True)
class Told:
    """What model-events says: each version's hash, and where each alias was pointed last."""

    versions: dict[str, dict[int, str | None]] = field(default_factory=lambda: defaultdict(dict))
    aliases: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def of(cls, events: Iterable[ModelEvent]) -> "Told":
        """Fold events in the order of their topic."""
        told = cls()
        for event in events:
            told.versions[event.model][event.version] = event.sha256
            if event.alias is not None:
                told.aliases[event.model][event.alias] = event.version
        return told


@dataclass(frozen=True, slots=True)
class Restorer:
    """Compares and, unless it only looks (`dry_run`), puts back.

    Only what is missing is written: no version and no alias that stands is changed. Numbers of
    lost versions are reserved, so that none ever means something else.
    """

    registry: Registry
    cellar: Cellar
    dry_run: bool = False

    def run(self, told: Told) -> Iterator[Finding]:
        """Go through everything that was told; a model's versions first, then its aliases."""
        for name, versions in sorted(told.versions.items()):
            held = self.registry.held(name)
            fates = {
                version: self._version(name, version, sha256, held)
                for version, sha256 in sorted(versions.items())
            }
            if not self.dry_run:
                self.registry.reserve(name, max(versions))
            for version, fate in fates.items():
                yield Finding(name, version, None, fate)
            for alias, version in sorted(told.aliases[name].items()):
                yield Finding(name, version, alias, self._alias(name, alias, version, fates))

    def _version(self, name: str, version: int, sha256: str | None, held: set[int]) -> Fate:
        try:
            card = self.registry.card(name, version)
        except ModelNotFound:
            return self._from_cellar(name, version, sha256)
        if card.sha256 != sha256:
            return Fate.ANOTHER
        return Fate.THERE if version in held else Fate.CARD_ONLY

    def _from_cellar(self, name: str, version: int, sha256: str | None) -> Fate:
        copy = self.cellar.get(name, version)
        if copy is None or copy[0].sha256 != sha256:
            return Fate.GONE
        if self.dry_run:
            return Fate.RESTORABLE
        return Fate.RESTORED if self.registry.restore(*copy) == copy[0] else Fate.ANOTHER

    def _alias(self, name: str, alias: str, version: int, fates: dict[int, Fate]) -> Fate:
        standing, fate = self.registry.aliases(name).get(alias), fates[version]
        if standing is not None:
            is_meant = standing == version and fate is not Fate.ANOTHER
            return Fate.THERE if is_meant else Fate.ANOTHER
        if fate in {Fate.THERE, Fate.RESTORED} and not self.dry_run:
            self.registry.promote(name, version, alias, evidence="restored from model-events")
            return Fate.RESTORED
        is_possible = fate in {Fate.THERE, Fate.RESTORABLE}
        return Fate.RESTORABLE if is_possible else Fate.GONE


def read_told(connection: Connection, topics: Topics) -> Told:
    """What model-events says now."""
    records = read_to_end(connection, [topics.model_events])
    return Told.of(decode(ModelEvent, r.value) for r in records if r.value is not None)


class Run(NamedTuple):
    """Consecutive findings about one model, or one alias of it, that share a fate."""

    model: str
    alias: str | None
    first: int
    last: int
    fate: Fate


def runs(findings: Iterable[Finding]) -> list[Run]:
    """Findings told briefly: neighbours of one fate together."""
    found: list[Run] = []
    for finding in findings:
        model, version, alias, fate = finding
        before = found[-1] if found else None
        if (
            alias is None
            and before is not None
            and (before[:2], before.fate)
            == (
                (model, None),
                fate,
            )
        ):
            found[-1] = before._replace(last=version)
        else:
            found.append(Run(model, alias, version, version, fate))
    return found
