"""The writes of the registry, each one atomic."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from redis.client import Pipeline

from modstream.models.errors import ArtifactGone, ModelNotFound, NothingToRollBack, VersionConflict
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.history import Action, Move, trail
from modstream.models.registry.keys import Keys
from modstream.models.registry.queries import Records
from modstream.models.schema.card import ModelCard
from modstream.models.schema.version_spec import Draft
from modstream.models.security.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one model: it reads under WATCH, then writes everything in one MULTI.

    If another writer was faster, or the reply got lost, the whole change runs again and reads
    anew; so each method recognises what it has already done and does not do it twice.
    """

    pipe: Pipeline
    keys: Keys
    settings: RegistrySettings
    evidence: str

    def publish(
        self, draft: Draft, artifact: bytes, alias: str | None, key: SigningKey | None
    ) -> ModelCard:
        """Add the next version and point the alias, if any, at it."""
        name = draft.name
        latest = self._stored.latest(name)
        if draft.parent is not None and draft.parent > latest:
            # Redis has lost its models: a number given out now would be somebody else's.
            raise VersionConflict(name, expected=draft.parent, found=latest or None)
        newest = self._stored.card(name, latest)
        if newest is not None and draft.is_repeated_by(newest, artifact):
            return newest
        card = draft.card(latest + 1, artifact)
        signed = card if key is None else key.sign(card)
        move = None if alias is None else self._plan(name, alias, card.version, "publish")
        held = {**self._stored.held(name), card.version: card.sha256}
        needed = self._needed(name, held, move)
        self.pipe.multi()
        self._add(signed, artifact)
        self._prune(name, held, needed)
        self._finish(name, move)
        return signed

    def restore(self, card: ModelCard, artifact: bytes) -> ModelCard:
        """Put a version back under its own number; returns the card that stands there now."""
        name = card.name
        standing = self._stored.card(name, card.version)
        if standing is not None and standing != card:
            return standing
        latest = max(card.version, self._stored.latest(name))
        self.pipe.multi()
        self._add(card, artifact)
        self.pipe.set(self.keys.latest(name), str(latest))  # _add took it for the newest
        self._finish(name, None)
        return card

    def reserve(self, name: str, latest: int) -> int:
        """Never give out a version up to `latest` again; returns the highest that was."""
        highest = max(latest, self._stored.latest(name))
        self.pipe.multi()
        self.pipe.set(self.keys.latest(name), str(highest))
        return highest

    def promote(self, name: str, version: int, alias: str) -> ModelCard:
        """Point an alias at a version whose artifact is still there."""
        card = self._available(name, version)
        move = self._plan(name, alias, version, "promote")
        if move.old != version:
            self.pipe.multi()
            self._finish(name, move)
        return card

    def rollback(self, name: str, alias: str, seen: int) -> ModelCard:
        """Point an alias from the version `seen` there back at the one before on its trail."""
        history = self._stored.history(name, alias)
        now = self._stored.alias(name, alias)
        if now != seen:
            if now is not None and history and history[-1].undid(seen):
                return self._available(name, now)
            raise VersionConflict(name, expected=seen, found=now)
        path = trail(history)
        if len(path) < 2:
            raise NothingToRollBack(name, alias)
        card = self._available(name, path[-2])
        move = self._plan(name, alias, card.version, "rollback")
        self.pipe.multi()
        self._finish(name, move)
        return card

    @property
    def _stored(self) -> Records:
        return Records(self.pipe, self.keys)

    def _plan(self, name: str, alias: str, version: int, action: Action) -> Move:
        return Move(alias, self._stored.alias(name, alias), version, action, self.evidence)

    def _available(self, name: str, version: int) -> ModelCard:
        card = self._stored.card(name, version)
        if card is None:
            raise ModelNotFound(name, version)
        if version not in self._stored.held(name):
            raise ArtifactGone(name, version)
        return card

    def _needed(self, name: str, held: Mapping[int, str], move: Move | None) -> set[int]:
        """The versions to keep artifacts of: newest, aliased, and where rollbacks can lead."""
        keep = self.settings.keep
        needed = set(sorted(held)[-keep:])
        targets = self._stored.aliases(name)
        if move is not None:
            targets[move.alias] = move.new
        for alias, version in targets.items():
            path = trail(self._stored.history(name, alias))
            if path[-1:] != [version]:
                path.append(version)
            needed.update(path[-keep:])
        return needed

    def _add(self, card: ModelCard, artifact: bytes) -> None:
        version = str(card.version)
        self.pipe.sadd(self.keys.names, card.name)
        self.pipe.set(self.keys.latest(card.name), version)
        self.pipe.hsetnx(self.keys.cards(card.name), version, card.model_dump_json())
        self.pipe.hset(self.keys.held(card.name), version, card.sha256)
        self.pipe.set(self.keys.artifact(card.name, card.sha256), artifact)

    def _prune(self, name: str, held: Mapping[int, str], needed: AbstractSet[int]) -> None:
        gone = {version: sha256 for version, sha256 in held.items() if version not in needed}
        if gone:
            self.pipe.hdel(self.keys.held(name), *map(str, gone))
        for sha256 in set(gone.values()) - {held[version] for version in needed if version in held}:
            self.pipe.unlink(self.keys.artifact(name, sha256))

    def _finish(self, name: str, move: Move | None) -> None:
        """Write the move, if any, with its history entry, and hint at the change."""
        if move is not None:
            self.pipe.hset(self.keys.aliases(name), move.alias, str(move.new))
            self.pipe.xadd(
                self.keys.history(name, move.alias),
                move.fields(),
                maxlen=self.settings.remember,
                approximate=True,
            )
        self.pipe.publish(self.keys.changes, name)
