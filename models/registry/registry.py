"""The registry: immutable model versions in Redis, aliases that move between them, and why."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar, cast

import structlog
from redis.client import Pipeline

from modstream.models.errors import ArtifactError, ArtifactGone, ModelNotFound, RegistryUnavailable
from modstream.models.registry.backup import Cellar
from modstream.models.registry.connection import RegistrySettings, answering, connect
from modstream.models.registry.history import HistoryEntry
from modstream.models.registry.keys import Keys
from modstream.models.registry.notifications import Hints
from modstream.models.registry.queries import Records
from modstream.models.registry.refs import check_alias, read_ref
from modstream.models.registry.transactions import Change
from modstream.models.schema.artifact import verify
from modstream.models.schema.card import ModelCard
from modstream.models.schema.version_spec import Draft
from modstream.models.security.signing import SigningKey

__all__ = ["Draft", "HistoryEntry", "Registry", "RegistrySettings"]

T = TypeVar("T")


class Registry:
    """One registry in one Redis; safe to use from several threads.

    The keys are the truth; a pub/sub message after each change is only a hint to look again.
    Every method raises RegistryUnavailable when Redis does not answer within the timeout.

    Args:
        url: redis://, rediss:// or unix:// address of the server.
        settings: prefix, retention and timeouts.
        key: signs every published card; without it cards go unsigned.
    """

    def __init__(
        self, url: str, settings: RegistrySettings | None = None, key: SigningKey | None = None
    ) -> None:
        self._settings = settings or RegistrySettings()
        self._keys = Keys(self._settings.prefix)
        self._client = connect(url, self._settings)
        self._records = Records(self._client, self._keys)
        self._key = key
        self._cellar = None if self._settings.cellar is None else Cellar(self._settings.cellar)

    def publish(
        self,
        draft: Draft,
        artifact: bytes,
        *,
        alias: str | None = "champion",
        evidence: str = "",
    ) -> ModelCard:
        """Publish the next version of a model: card, artifact, alias and history in one step.

        A publisher that lost the reply may repeat the call: if the newest version has the same
        artifact, parent and offsets, its card is returned and nothing changes, aliases included.
        With `alias` None nothing points at the new version yet and no history is written.

        Raises:
            InvalidAlias: the alias is no plain word.
            ArtifactTooLarge: the artifact exceeds what Redis holds in one value.
            VersionConflict: its parent's number was never given out here.
        """
        if alias is not None:
            check_alias(alias)
        card = self._change(
            draft.name, evidence, lambda change: change.publish(draft, artifact, alias, self._key)
        )
        self._copy(card, artifact)
        return card

    def promote(
        self, name: str, version: int, alias: str = "champion", *, evidence: str = ""
    ) -> ModelCard:
        """Point an alias at a version; where it already points there, nothing changes.

        Raises:
            InvalidAlias: the alias is no plain word.
            ModelNotFound: there is no such version.
            ArtifactGone: only the version's card is left.
        """
        check_alias(alias)
        return self._change(name, evidence, lambda change: change.promote(name, version, alias))

    def rollback(self, name: str, alias: str = "champion", *, evidence: str = "") -> ModelCard:
        """Point an alias back at the version before its last move; twice goes back two moves.

        Raises:
            ModelNotFound: there is no such model or alias.
            NothingToRollBack: the alias never pointed anywhere else.
            ArtifactGone: only the card of the version before is left.
            VersionConflict: somebody moved the alias in the same moment.
        """
        check_alias(alias)
        seen = self.resolve(name, alias)
        return self._change(name, evidence, lambda change: change.rollback(name, alias, seen))

    def restore(self, card: ModelCard, artifact: bytes) -> ModelCard:
        """Put a version back that Redis has lost; returns the card that stands there now.

        That is another one if its number has been given out again since.

        Raises:
            ArtifactError: the bytes are not those of the card.
        """
        verify(artifact, card)
        return self._change(card.name, "", lambda change: change.restore(card, artifact))

    def reserve(self, name: str, latest: int) -> None:
        """Let no version up to `latest` be given out again, whether it is there or not."""
        self._change(name, "", lambda change: change.reserve(name, latest))

    def resolve(self, name: str, ref: int | str = "champion") -> int:
        """Find the version that a number (also as digits) or an alias stands for.

        Raises:
            ModelNotFound: there is no such model, version or alias.
        """
        known = read_ref(name, ref)
        with answering():
            version = self._records.version(name, known)
        if version is None:
            raise ModelNotFound(name, ref)
        return version

    def card(self, name: str, ref: int | str = "champion") -> ModelCard:
        """Fetch the card of a version by number or alias; cards are never deleted.

        Raises:
            ModelNotFound: there is no such model, version or alias.
            UnreadableCard: the stored card is damaged or of a newer format.
        """
        version = self.resolve(name, ref)
        with answering():
            card = self._records.card(name, version)
        if card is None:
            raise ModelNotFound(name, ref)
        return card

    def newest(self, name: str) -> ModelCard | None:
        """Fetch the card of the highest version there is, whatever points at it; None before.

        Raises:
            UnreadableCard: the stored card is damaged or of a newer format.
        """
        with answering():
            card = self._records.card(name, self._records.latest(name))
            # The very newest may be lost, with its number reserved.
            return card or next(reversed(self._records.cards(name)), None)

    def artifact(self, card: ModelCard) -> bytes:
        """Fetch the bytes of a version; whoever loads them checks their hash.

        Raises:
            ArtifactGone: retention has deleted them.
        """
        with answering():
            artifact = self._client.get(self._keys.artifact(card.name, card.sha256))
        if not isinstance(artifact, bytes):
            raise ArtifactGone(card.name, card.version)
        self._copy(card, artifact)
        return artifact

    def names(self) -> list[str]:
        """List every model, sorted by name."""
        with answering():
            return self._records.names()

    def versions(self, name: str) -> list[ModelCard]:
        """List every version of a model, oldest first; empty if there is no such model."""
        with answering():
            return self._records.cards(name)

    def held(self, name: str) -> set[int]:
        """List the versions of a model whose artifacts are there."""
        with answering():
            return set(self._records.held(name))

    def aliases(self, name: str) -> dict[str, int]:
        """List where the aliases of a model point; empty if there is no such model."""
        with answering():
            return self._records.aliases(name)

    def history(self, name: str) -> list[HistoryEntry]:
        """List the remembered moves of all aliases of a model, oldest first.

        Moves of two aliases in the same millisecond come in the aliases' order.
        """
        with answering():
            entries = [
                entry
                for alias in self._records.aliases(name)
                for entry in self._records.history(name, alias)
            ]
        return sorted(entries, key=lambda entry: entry.at)

    def watch(self) -> Hints:
        """Subscribe to hints that a model changed; close what is returned."""
        return Hints(self._client, self._keys.changes)

    def close(self) -> None:
        """Close the connections; a later call would open new ones."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _copy(self, card: ModelCard, artifact: bytes) -> None:
        """Keep a copy in the cellar, if there is one, and there what Redis holds and no more."""
        if self._cellar is None:
            return
        try:
            self._cellar.put(card, artifact)
            held = self.held(card.name)
            # A registry that has lost its models says nothing about which copies are worth it.
            if held and max(held) >= max(self._cellar.versions(card.name)):
                self._cellar.keep_only(card.name, held)
        except (ArtifactError, RegistryUnavailable, OSError) as error:
            structlog.get_logger(__name__).warning(
                "no copy kept", model=card.name, version=card.version, reason=str(error)
            )

    def _change(self, name: str, evidence: str, step: Callable[[Change], T]) -> T:
        """Run a change until no other writer gets in between, or patience ends."""
        deadline = time.monotonic() + self._settings.patience

        def attempt(pipe: Pipeline) -> T:
            if time.monotonic() > deadline:
                raise RegistryUnavailable(f"other writers of {name!r} were faster for too long")
            return step(Change(pipe, self._keys, self._settings, evidence))

        watched = self._keys.latest(name), self._keys.aliases(name)
        with answering():
            found = self._client.transaction(
                attempt,  # type: ignore[arg-type] # redis-py types it as returning None
                *watched,
                value_from_callable=True,
            )
        return cast("T", found)
