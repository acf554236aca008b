"""The model registry: immutable model versions in Redis, and aliases that point at them."""

import time
from collections.abc import Callable
from typing import TypeVar, cast

from redis.client import Pipeline

from modstream.models.registry.connection import RegistrySettings, translate_redis_errors
from modstream.models.registry.errors import AliasMoved, RegistryUnavailable, SigningKeyMissing
from modstream.models.registry.reader import RegistryReader
from modstream.models.registry.refs import CHAMPION, check_alias
from modstream.models.registry.signer import Signer, SigningReport
from modstream.models.registry.transactions import RegistryTransaction
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.security.signing import SigningKey, Trust

T = TypeVar("T")


class Registry(RegistryReader):
    """One registry in one Redis, to read and to write; safe to use from several threads.

    Args:
        url: redis://, rediss:// or unix:// address of the server.
        settings: prefix, retention and timeouts.
        key: signs every published card and move; without a key, they are not signed.
        trust: the keys by which the moves of aliases must be signed; by default they need not be.
    """

    def __init__(
        self,
        url: str,
        settings: RegistrySettings | None = None,
        key: SigningKey | None = None,
        trust: Trust | None = None,
    ) -> None:
        super().__init__(url, settings, trust)
        self._signer = Signer(key, trust or Trust())

    def publish(
        self,
        spec: VersionSpec,
        content: bytes,
        *,
        alias: str | None = CHAMPION,
        expected: int | None = None,
        reason: str = "",
    ) -> ModelCard:
        """Publish the next version of a model: card, artifact, alias and history in one step.

        The call may be repeated if its reply was lost: if the newest version has the same artifact
        and description, its card is returned and nothing changes, aliases included. With `alias`
        None, no alias points at the new version and no history is written. `expected` is the
        version that the alias must point at now, 0 for no alias; by default it may be any.
        `content` is the serialized model; the history records `reason`.

        Raises:
            InvalidAlias: the alias is not a plain word.
            AliasMoved: the alias points at another version than the expected one.
            ArtifactTooLarge: the artifact is larger than a Redis value may be.
            VersionConflict: the registry never assigned the number of the spec's parent.
            SigningKeyMissing: there is no key, and only signed versions are trusted.
        """
        self._signer.require_key()
        if alias is not None:
            check_alias(alias)
        artifact = Artifact(content)
        card = self._transact(
            spec.name, reason, lambda tx: tx.publish(spec, artifact, alias, expected)
        )
        self._back_up(card, artifact)
        return card

    def promote(
        self,
        name: str,
        version: int,
        alias: str = CHAMPION,
        *,
        expected: int | None = None,
        reason: str = "",
        user: str = "",
    ) -> ModelCard:
        """Point an alias at a version; nothing changes if it points there already, and is trusted.

        `expected` is the version that the alias must point at now, 0 for no alias; by default it
        may be any. The history records `reason`, and `user`, the person who asked for it.

        Raises:
            InvalidAlias: the alias is not a plain word.
            AliasMoved: the alias points at another version than the expected one.
            ModelNotFound: there is no such version.
            ArtifactDeleted: retention has left only the version's card.
            SigningKeyMissing: there is no key, and only signed moves are trusted.
        """
        self._signer.require_key()
        check_alias(alias)
        return self._transact(
            name, reason, lambda tx: tx.promote(name, version, alias, expected), user
        )

    def rollback(
        self,
        name: str,
        alias: str = CHAMPION,
        *,
        expected: int | None = None,
        reason: str = "",
        user: str = "",
    ) -> ModelCard:
        """Point an alias at the version before its last move; two rollbacks go back two moves.

        `expected` is the version that the alias must point at now; by default it may be any. The
        history records `reason`, and `user`, the person who asked for it.

        Raises:
            ModelNotFound: there is no such model or alias.
            NothingToRollBack: the alias has no earlier version.
            ArtifactDeleted: retention has left only the card of the earlier version.
            AliasMoved: the alias points at another version than the expected one.
            VersionConflict: another writer moved the alias at the same time.
            SigningKeyMissing: there is no key, and only signed moves are trusted.
            UntrustedAlias: the move to the current version is not trusted.
        """
        self._signer.require_key()
        check_alias(alias)
        current = self.resolve(name, alias)
        if expected is not None and current != expected:
            raise AliasMoved(name, alias, expected, current)
        return self._transact(name, reason, lambda tx: tx.rollback(name, alias, current), user)

    def restore(self, card: ModelCard, artifact: Artifact) -> ModelCard:
        """Write back a version that Redis has lost; return the card that has its number now.

        The returned card is a different one if the number was assigned again since.

        Raises:
            ArtifactError: the artifact is not the one that the card describes.
        """
        artifact.verify(card)
        return self._transact(card.name, "", lambda tx: tx.restore(card, artifact))

    def reserve(self, name: str, latest: int) -> None:
        """Never assign a version number up to `latest` again, even if no such version exists."""
        self._transact(name, "", lambda tx: tx.reserve(name, latest))

    def sign_again(self, name: str, *, adopt: bool = False) -> SigningReport:
        """Sign what is trusted of a model with this writer's key, as after a rotation of keys.

        Raises:
            SigningKeyMissing: there is no key.
            UnreadableCard: a stored card is damaged or has a newer format.

        Args:
            name: the model.
            adopt: also sign versions and aliases that are not trusted. All content that another
                writer may have put into Redis is trusted from then on.
        """
        if self._signer.key is None:
            raise SigningKeyMissing
        return self._transact(name, "", lambda tx: tx.sign_again(name, adopt=adopt))

    def _transact(
        self,
        name: str,
        reason: str,
        operation: Callable[[RegistryTransaction], T],
        user: str = "",
    ) -> T:
        """Run a transaction, again after each conflict with another writer, until the timeout."""
        deadline = time.monotonic() + self._settings.write_timeout_seconds

        def attempt(pipeline: Pipeline) -> T:
            if time.monotonic() > deadline:
                raise RegistryUnavailable(
                    f"the write to {name!r} lost against other writers until its timeout"
                )
            transaction = RegistryTransaction(
                pipeline, self._keys, self._settings, reason, user, self._signer
            )
            return operation(transaction)

        watched = self._keys.latest(name), self._keys.aliases(name), self._keys.moves(name)
        with translate_redis_errors():
            found = self._client.transaction(
                attempt,  # type: ignore[arg-type] # redis-py types it as returning None
                *watched,
                value_from_callable=True,
            )
        return cast("T", found)
