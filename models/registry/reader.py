"""Reading the model registry: versions, their artifacts, and where aliases point."""

from typing import Self

from modstream.models.registry.alias_reader import AliasReader
from modstream.models.registry.backup import ArtifactBackup
from modstream.models.registry.connection import (
    RegistrySettings,
    connect,
    translate_redis_errors,
)
from modstream.models.registry.errors import ArtifactDeleted, BrokenAlias, ModelNotFound
from modstream.models.registry.history import HistoryEntry
from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.notifications import ChangeSubscription
from modstream.models.registry.queries import RegistryQueries
from modstream.models.registry.refs import DEFAULT_ALIAS, parse_ref
from modstream.models.registry.served_aliases import ServedAliases
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.security.signing import Trust


class RegistryReader:
    """What is read of one registry in one Redis; safe to use from several threads.

    The keys are authoritative; the pub/sub message after a change only asks subscribers to look
    at them again. Every method raises RegistryUnavailable if Redis does not answer in time.

    Args:
        url: redis://, rediss:// or unix:// address of the server.
        settings: prefix, retention and timeouts.
        trust: the keys by which the moves of aliases must be signed; by default they need not be.
    """

    def __init__(
        self, url: str, settings: RegistrySettings | None = None, trust: Trust | None = None
    ) -> None:
        self._settings = settings or RegistrySettings()
        self._keys = RegistryKeys(self._settings.prefix)
        self._client = connect(url, self._settings)
        self._queries = RegistryQueries(self._client, self._keys)
        folder = self._settings.backup_dir
        self._backup = None if folder is None else ArtifactBackup(folder)
        self._served = None if folder is None else ServedAliases(folder)
        self._aliases = AliasReader(self._queries, trust or Trust(), self._served)

    def record_served(self, name: str, alias: str, version: int) -> None:
        """Record on disk that a version was loaded for an alias, for `last_served`."""
        if self._served is not None:
            self._served.record(self._aliases.newest(name, alias), name, alias, version)

    def last_served(self, name: str, alias: str) -> tuple[ModelCard, Artifact] | None:
        """Return the version that this machine loaded last for an alias, from the backup.

        None if it was not recorded, or its backup is missing or damaged. The caller verifies the
        card's signature.
        """
        move = None if self._served is None else self._served.get(name, alias)
        if move is None or self._backup is None:
            return None
        return self._backup.get(name, move.version)

    def resolve(self, name: str, ref: int | str = DEFAULT_ALIAS) -> int:
        """Return the version that a number (also as digits) or an alias refers to.

        Raises:
            ModelNotFound: there is no such model, version or alias.
            UntrustedAlias: the last move of the alias is not trusted.
        """
        parsed = parse_ref(name, ref)
        with translate_redis_errors():
            if isinstance(parsed, str):
                version = self._aliases.version(name, parsed)
            else:
                version = self._queries.find_version(name, parsed)
        if version is None:
            raise ModelNotFound(name, ref)
        return version

    def card(self, name: str, ref: int | str = DEFAULT_ALIAS) -> ModelCard:
        """Return the card of a version by number or alias; cards are never deleted.

        Raises:
            ModelNotFound: there is no such model, version or alias.
            BrokenAlias: the alias points at a version that is not registered.
            UntrustedAlias: the last move of the alias is not trusted.
            UnreadableCard: the stored card is damaged or has a newer format.
        """
        version = self.resolve(name, ref)
        with translate_redis_errors():
            card = self._queries.card(name, version)
        if card is None and ref != version:
            raise BrokenAlias(name, str(ref))
        if card is None:
            raise ModelNotFound(name, ref)
        return card

    def newest(self, name: str) -> ModelCard | None:
        """Return the card of the highest version, whatever alias points at it; None if none exists.

        Raises:
            UnreadableCard: the stored card is damaged or has a newer format.
        """
        with translate_redis_errors():
            card = self._queries.card(name, self._queries.latest(name))
            # The highest number may be reserved for a version that is lost.
            return card or next(reversed(self._queries.cards(name)), None)

    def artifact(self, card: ModelCard) -> Artifact:
        """Return the artifact of a version, after checking that its hash is the card's.

        Raises:
            ArtifactDeleted: retention has deleted the artifact.
            ArtifactError: the stored bytes are not the artifact that the card describes.
        """
        with translate_redis_errors():
            content = self._client.get(self._keys.artifact(card.name, card.sha256))
        if not isinstance(content, bytes):
            raise ArtifactDeleted(card.name, card.version)
        artifact = Artifact(content)
        artifact.verify(card)
        self._back_up(card, artifact)
        return artifact

    def names(self) -> list[str]:
        """Return the names of all models, sorted."""
        with translate_redis_errors():
            return self._queries.names()

    def versions(self, name: str) -> list[ModelCard]:
        """Return the cards of a model, oldest first; empty if there is no such model."""
        with translate_redis_errors():
            return self._queries.cards(name)

    def stored_versions(self, name: str) -> set[int]:
        """Return the versions of a model whose artifact is still stored."""
        with translate_redis_errors():
            return set(self._queries.stored_artifacts(name))

    def aliases(self, name: str) -> dict[str, int]:
        """Return the version of each alias of a model; empty if there is no such model.

        An alias whose last move is not trusted has the version of the newest trusted move that this
        process or machine has seen, and is left out without one.
        """
        with translate_redis_errors():
            return self._aliases.versions(name)

    def history(self, name: str) -> list[HistoryEntry]:
        """Return the recorded moves of all aliases of a model, oldest first.

        Moves of different aliases in the same millisecond are sorted by alias.
        """
        with translate_redis_errors():
            entries = [
                entry
                for alias in self._queries.aliases(name)
                for entry in self._queries.history(name, alias)
            ]
        return sorted(entries, key=lambda entry: entry.at)

    def moves(self, name: str, alias: str) -> list[HistoryEntry]:
        """Return the recorded moves of one alias of a model, oldest first."""
        with translate_redis_errors():
            return self._queries.history(name, alias)

    def subscribe(self) -> ChangeSubscription:
        """Return a subscription to the names of changed models; the caller closes it."""
        return ChangeSubscription(self._client, self._keys.changes)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _back_up(self, card: ModelCard, artifact: Artifact) -> None:
        if self._backup is not None:
            self._backup.mirror(card, artifact, self.stored_versions)
