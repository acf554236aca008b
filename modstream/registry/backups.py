"""The backups of models by the settings; this module imports no Redis client."""

from pathlib import Path
from urllib.parse import quote

from modstream.models.registry.backup import ArtifactBackup, default_backup_folder
from modstream.models.registry.errors import BackupMissing
from modstream.models.registry.refs import parse_ref
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.serving.loaded_models import LoadedModel
from modstream.models.serving.loader import StoredArtifact, load_version
from modstream.registry.trust import load_trust
from modstream.settings import Settings


def backup_folder(settings: Settings) -> Path:
    """Return the folder of the backups of this installation's models."""
    folder = settings.backup_dir or default_backup_folder(settings.home)
    return folder / registry_folder(settings)


def registry_folder(settings: Settings) -> str:
    """Return the name of the folder, below the backup folder, of this installation's registry."""
    return quote(f"{settings.prefix}modstream", safe="")


def read_backup(settings: Settings, name: str, ref: int | str) -> tuple[ModelCard, Artifact]:
    """Read a version from the folder of backups, without Redis; its hash is checked.

    Raises:
        BackupMissing: there is no backup of the version, or it is damaged, or `ref` is an alias.
    """
    folder, version = backup_folder(settings), parse_ref(name, ref)
    backup = ArtifactBackup(folder)
    found = backup.get(name, version) if isinstance(version, int) else None
    if found is None:
        raise BackupMissing(folder, name, ref, sorted(backup.versions(name)))
    return found


def load_backup(settings: Settings, name: str, ref: int | str) -> LoadedModel:
    """Load a version from the folder of backups; signature and hash are checked first.

    Raises:
        BackupMissing: there is no backup of the version, or `ref` is an alias.
        UntrustedModel: no trusted key has signed the version.
        ArtifactError: the version cannot be loaded.
    """
    card, artifact = read_backup(settings, name, ref)
    trust, rows = load_trust(settings), settings.model_cache.warm_up_rows
    return LoadedModel(card, load_version(StoredArtifact(artifact), trust, card, rows))
