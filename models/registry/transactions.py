"""The atomic writes of the registry."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from redis.client import Pipeline

from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import (
    AliasMoved,
    ArtifactDeleted,
    ModelNotFound,
    NothingToRollBack,
    UnreadableCard,
    VersionConflict,
)
from modstream.models.registry.history import AliasMove, MoveAction, alias_stack
from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.queries import RegistryQueries
from modstream.models.registry.signer import Signer, SigningReport
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.version_spec import VersionSpec


@dataclass(frozen=True, slots=True)
class RegistryTransaction:
    """One change of one model: reads under WATCH, then all writes in one MULTI.

    The transaction runs again from the start if another writer changed the model in between, or
    if its reply was lost. So each method recognises a change that it has already made.
    """

    pipeline: Pipeline
    keys: RegistryKeys
    settings: RegistrySettings
    reason: str
    user: str = ""
    signer: Signer = field(default_factory=Signer)

    def publish(
        self,
        spec: VersionSpec,
        artifact: Artifact,
        alias: str | None,
        expected: int | None = None,
    ) -> ModelCard:
        """Add the next version, signed if there is a key, and point the alias at it, if given.

        The alias must point at the `expected` version, if that is given.
        """
        name = spec.name
        latest = self._queries.latest(name)
        if spec.parent is not None and spec.parent > latest:
            # Redis has lost data: the next number here was once another version's number.
            raise VersionConflict(name, expected=spec.parent, found=latest or None)
        newest = self._readable_card(name, latest)
        if newest is not None and spec.is_published_as(newest, artifact):
            return newest
        card = spec.make_card(latest + 1, artifact)
        signed = self.signer.sign_card(card)
        move = None if alias is None else self._plan_move(name, alias, card.version, "publish")
        if move is not None:
            _check_expected(name, move, expected)
        stored = {**self._queries.stored_artifacts(name), card.version: card.sha256}
        kept = self._versions_to_keep(name, stored, move)
        self.pipeline.multi()
        self._write_version(signed, artifact)
        self._delete_artifacts(name, stored, kept)
        self._move_and_notify(name, move)
        return signed

    def restore(self, card: ModelCard, artifact: Artifact) -> ModelCard:
        """Write a lost version back under its own number; return the card that is stored then."""
        name = card.name
        stored = self._queries.card(name, card.version)
        if stored is not None and stored != card:
            return stored
        latest = max(card.version, self._queries.latest(name))
        self.pipeline.multi()
        self._write_version(card, artifact)
        self.pipeline.set(self.keys.latest(name), str(latest))  # _write_version set card.version
        self._move_and_notify(name, None)
        return card

    def reserve(self, name: str, latest: int) -> int:
        """Never assign a version up to `latest` again; return the highest number now assigned."""
        highest = max(latest, self._queries.latest(name))
        self.pipeline.multi()
        self.pipeline.set(self.keys.latest(name), str(highest))
        return highest

    def promote(
        self, name: str, version: int, alias: str, expected: int | None = None
    ) -> ModelCard:
        """Point an alias at a version whose artifact is still stored.

        The alias must point at the `expected` version before, if that is given.
        """
        card = self._card_with_artifact(name, version)
        move = self._plan_move(name, alias, version, "promote")
        if move.old != version:
            _check_expected(name, move, expected)
            self.pipeline.multi()
            self._move_and_notify(name, move)
        elif not self.signer.is_signed(name, alias, version, self._queries.move(name, alias)):
            self.pipeline.multi()
            self._write_signed(name, move)
            self._move_and_notify(name, None)
        return card

    def sign_again(self, name: str, *, adopt: bool) -> SigningReport:
        """Sign the cards and aliases of a model that are trusted, and with `adopt` the others."""
        cards, trust = self._queries.cards(name), self.signer.trust
        aliases, moves = self._queries.aliases(name), self._queries.moves(name)
        signed = [card for card in cards if adopt or trust.problem(card) is None]
        planned = [
            self._plan_move(name, alias, version, "promote")
            for alias, version in aliases.items()
            if adopt or self.signer.is_signed(name, alias, version, moves.get(alias))
        ]
        self.pipeline.multi()
        for card in signed:
            text = self.signer.sign_card(card).model_dump_json()
            self.pipeline.hset(self.keys.cards(name), str(card.version), text)
        for move in planned:
            self._write_signed(name, move)
        self._move_and_notify(name, None)
        versions = {card.version for card in signed}
        moved = {move.alias for move in planned}
        return SigningReport(
            versions=tuple(sorted(versions)),
            aliases={alias: aliases[alias] for alias in sorted(moved)},
            refused_versions=tuple(c.version for c in cards if c.version not in versions),
            refused_aliases={a: version for a, version in aliases.items() if a not in moved},
        )

    def rollback(self, name: str, alias: str, current: int) -> ModelCard:
        """Point an alias back at the version before `current`, to which the caller saw it point."""
        history = self._queries.history(name, alias)
        found = self._queries.alias(name, alias)
        if found != current:
            if found is not None and history and history[-1].is_rollback_from(current):
                return self._card_with_artifact(name, found)
            raise VersionConflict(name, expected=current, found=found)
        stack = alias_stack(history)
        if len(stack) < 2:
            raise NothingToRollBack(name, alias)
        card = self._card_with_artifact(name, stack[-2])
        move = self._plan_move(name, alias, card.version, "rollback")
        self.pipeline.multi()
        self._move_and_notify(name, move)
        return card

    @property
    def _queries(self) -> RegistryQueries:
        return RegistryQueries(self.pipeline, self.keys)

    def _plan_move(self, name: str, alias: str, version: int, action: MoveAction) -> AliasMove:
        old = self._queries.alias(name, alias)
        signed = self.signer.sign_move(name, alias, version, self._queries.move(name, alias))
        return AliasMove(alias, old, version, action, self.reason, self.user, signed)

    def _readable_card(self, name: str, version: int) -> ModelCard | None:
        """Return a card, None if it is damaged: it must not stop the publication of the next."""
        try:
            return self._queries.card(name, version)
        except UnreadableCard:
            return None

    def _card_with_artifact(self, name: str, version: int) -> ModelCard:
        card = self._queries.card(name, version)
        if card is None:
            raise ModelNotFound(name, version)
        if version not in self._queries.stored_artifacts(name):
            raise ArtifactDeleted(name, version)
        return card

    def _versions_to_keep(
        self, name: str, stored: Mapping[int, str], move: AliasMove | None
    ) -> set[int]:
        """Return the versions whose artifacts stay: newest, aliased, and targets of rollbacks."""
        count = self.settings.keep_artifacts
        kept = set(sorted(stored)[-count:])
        aliases = self._queries.aliases(name)
        if move is not None:
            aliases[move.alias] = move.new
        for alias, version in aliases.items():
            stack = alias_stack(self._queries.history(name, alias))
            if stack[-1:] != [version]:
                stack.append(version)
            kept.update(stack[-count:])
        return kept

    def _write_version(self, card: ModelCard, artifact: Artifact) -> None:
        version = str(card.version)
        self.pipeline.sadd(self.keys.names, card.name)
        self.pipeline.set(self.keys.latest(card.name), version)
        self.pipeline.hsetnx(self.keys.cards(card.name), version, card.model_dump_json())
        self.pipeline.hset(self.keys.stored_artifacts(card.name), version, card.sha256)
        self.pipeline.set(self.keys.artifact(card.name, card.sha256), artifact.content)

    def _delete_artifacts(
        self, name: str, stored: Mapping[int, str], kept: AbstractSet[int]
    ) -> None:
        deleted = {version: sha256 for version, sha256 in stored.items() if version not in kept}
        if deleted:
            self.pipeline.hdel(self.keys.stored_artifacts(name), *map(str, deleted))
        shared = {stored[version] for version in kept if version in stored}
        for sha256 in set(deleted.values()) - shared:
            self.pipeline.unlink(self.keys.artifact(name, sha256))

    def _move_and_notify(self, name: str, move: AliasMove | None) -> None:
        """Write the move, if any, with its history entry, and notify subscribers of the change."""
        if move is not None:
            self.pipeline.hset(self.keys.aliases(name), move.alias, str(move.new))
            self._write_signed(name, move)
            self.pipeline.xadd(
                self.keys.history(name, move.alias),
                move.fields(),
                maxlen=self.settings.history_length,
                approximate=True,
            )
        self.pipeline.publish(self.keys.changes, name)

    def _write_signed(self, name: str, move: AliasMove) -> None:
        """Write the signature of a move; without one, remove that of an earlier move."""
        if move.signed is None:
            self.pipeline.hdel(self.keys.moves(name), move.alias)
        else:
            signed = move.signed.model_dump_json()
            self.pipeline.hset(self.keys.moves(name), move.alias, signed)


def _check_expected(name: str, move: AliasMove, expected: int | None) -> None:
    """Raise if an alias points at another version than a writer expects; 0 stands for none.

    Raises:
        AliasMoved: it does.
    """
    found = move.old or 0
    if expected is not None and found != expected:
        raise AliasMoved(name, move.alias, expected, found)
