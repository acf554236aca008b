"""The parts of a package that are modstream's own: code, version, settings, entry point."""

import json
import shutil
from pathlib import Path
from typing import Any

from modstream.models.registry.backup import ArtifactBackup
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.registry.backups import registry_folder
from modstream.registry.trust import trusted_keys
from modstream.serverless_settings import ServerlessSettings
from modstream.settings import Settings

BACKUP_FOLDER, SETTINGS_FILE, ENTRY_FILE = "backup", "modstream.toml", "lambda_function.py"
WRITABLE_HOME = "/tmp/modstream"  # noqa: S108 - the only folder that a function may write
ENTRY = '''\
"""The function, under the name that Lambda expects by default."""

from modstream.serverless.preloaded import handler as lambda_handler

__all__ = ["lambda_handler"]
'''
DOCKERFILE = """\
FROM public.ecr.aws/lambda/python:{python}
COPY . ${{LAMBDA_TASK_ROOT}}
CMD ["lambda_function.lambda_handler"]
"""
NOT_SERVERLESS = frozenset(
    {
        "audit",
        "cli",
        "dashboard",
        "demo",
        "live",
        "packaging",
        "report",
        "services",
        "stack",
        "__pycache__",
    }
)
"""Packages of modstream, and folders, that no function imports."""
COPIED_SETTINGS = ("prefix", "installation", "stream", "max_request_bytes", "record_features")
"""The settings that a function takes from the environment in which it is packaged. Addresses and
credentials are not among them: the function gets them as environment variables."""


def copy_code(folder: Path) -> None:
    """Copy modstream's modules."""
    import_root = Path(__file__).parent.parent
    shutil.copytree(import_root, folder / "modstream", ignore=_ignore)


def _ignore(folder: str, names: list[str]) -> set[str]:
    is_root = Path(folder) == Path(__file__).parent.parent
    return set(names) & (NOT_SERVERLESS if is_root else {"__pycache__"})


def write_settings(folder: Path, settings: Settings, serverless: ServerlessSettings) -> None:
    """Write the settings that the function reads from the folder that it runs in."""
    lines = [f"home = {_toml(WRITABLE_HOME)}"]
    if serverless.source == "backup":
        lines.append(f"backup_dir = {_toml(BACKUP_FOLDER)}")
    values = settings.model_dump(mode="json")
    lines += [f"{name} = {_toml(values[name])}" for name in COPIED_SETTINGS]
    lines.append(f"trusted_keys = {_toml(trusted_keys(settings))}")
    lines += ["", "[serverless]"]
    names = ServerlessSettings.__dataclass_fields__
    lines += [f"{name} = {_toml(getattr(serverless, name))}" for name in names]
    (folder / SETTINGS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_version(folder: Path, settings: Settings, card: ModelCard, artifact: Artifact) -> None:
    """Write the backup of the version that the function serves."""
    ArtifactBackup(folder / BACKUP_FOLDER / registry_folder(settings)).put(card, artifact)


def write_entry(folder: Path) -> None:
    """Write the module that Lambda calls."""
    (folder / ENTRY_FILE).write_text(ENTRY)


def write_dockerfile(folder: Path, python: str) -> None:
    """Write the file that makes the folder an image for Lambda."""
    (folder / "Dockerfile").write_text(DOCKERFILE.format(python=python))


def _toml(value: Any) -> str:  # noqa: ANN401 - a text, a number, a bool or a list of texts
    """Return a value as TOML, whose texts, numbers and lists are written as in JSON."""
    return json.dumps(value)
