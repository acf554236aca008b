"""Backups on disk of the versions that this process published or fetched, in case Redis loses them.

Each model has a folder. A version is two files: `<version>.json`, its card exactly as published,
with the signature, and `<version>.bin`, its artifact. The card is written last, so a version whose
card exists has a complete artifact.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from uuid import uuid4

import structlog

from modstream.models.errors import ArtifactError
from modstream.models.registry.cards import parse_card
from modstream.models.registry.errors import RegistryUnavailable, UnreadableCard
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard

log = structlog.get_logger(__name__)

CARD_SUFFIX, ARTIFACT_SUFFIX = ".json", ".bin"
BACKUP_FOLDER, FORMER_BACKUP_FOLDER = "backup", "cellar"


class ArtifactBackup:
    """The backups below one folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, card: ModelCard, artifact: Artifact) -> None:
        """Write a version, replacing any other backup with the same number.

        Raises:
            ArtifactError: the artifact is not the one that the card describes.
            OSError: the folder cannot be written.
        """
        text = card.model_dump_json().encode()
        card_path = self._path(card.name, card.version, CARD_SUFFIX)
        if card_path.exists() and card_path.read_bytes() == text:
            return
        artifact.verify(card)
        card_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        card_path.unlink(missing_ok=True)
        write_atomically(self._path(card.name, card.version, ARTIFACT_SUFFIX), artifact.content)
        write_atomically(card_path, text)

    def mirror(
        self, card: ModelCard, artifact: Artifact, stored_versions: Callable[[str], set[int]]
    ) -> None:
        """Write a version, and delete backups of versions that the registry has deleted.

        A failure is logged: it must not fail the publication or the load of the version.

        Args:
            card: the version's card.
            artifact: the version's artifact.
            stored_versions: returns the versions of a model whose artifact the registry stores.
        """
        try:
            self.put(card, artifact)
            stored = stored_versions(card.name)
            # A registry that has lost its data must not cause the deletion of its backups.
            if stored and max(stored) >= max(self.versions(card.name)):
                self.keep_only(card.name, stored)
        except (ArtifactError, RegistryUnavailable, OSError) as error:
            log.warning(
                "backup not written", model=card.name, version=card.version, reason=str(error)
            )

    def get(self, name: str, version: int) -> tuple[ModelCard, Artifact] | None:
        """Return a version's card and artifact, or None if its backup is missing or damaged."""
        try:
            raw = self._path(name, version, CARD_SUFFIX).read_bytes()
            card = parse_card(name, version, raw)
            artifact = Artifact(self._path(name, version, ARTIFACT_SUFFIX).read_bytes())
            artifact.verify(card)
        except (OSError, UnreadableCard, ArtifactError):
            return None
        return card, artifact

    def versions(self, name: str) -> set[int]:
        """Return the versions of a model that have a backup."""
        stems = (path.stem for path in (self._folder / name).glob(f"*{CARD_SUFFIX}"))
        return {int(stem) for stem in stems if stem.isdecimal()}

    def keep_only(self, name: str, versions: Collection[int]) -> None:
        """Delete the backups of all other versions of a model."""
        for version in self.versions(name).difference(versions):
            self._path(name, version, CARD_SUFFIX).unlink(missing_ok=True)
            self._path(name, version, ARTIFACT_SUFFIX).unlink(missing_ok=True)

    def _path(self, name: str, version: int, suffix: str) -> Path:
        return self._folder / name / f"{version}{suffix}"


def default_backup_folder(home: Path) -> Path:
    """Return the backup folder of a home that does not configure one.

    The folder's name used to be `cellar`: a home that has only that folder gets it renamed.
    """
    folder, former = home / BACKUP_FOLDER, home / FORMER_BACKUP_FOLDER
    if former.is_dir() and not folder.exists():
        try:
            former.rename(folder)
        except OSError as error:
            if former.exists():  # otherwise another process has renamed it meanwhile
                log.warning("backup folder not renamed", folder=str(former), reason=str(error))
    return folder


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees either the old content or all of the new content."""
    temporary = path.with_name(f".{uuid4().hex}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
