"""Which code has run: the version of modstream, and its commit in a checkout."""

import subprocess
from importlib.metadata import version
from pathlib import Path
from shutil import which

GIT_SECONDS = 10


def code_version(folder: Path | None = None) -> str:
    """Return `0.1.0`, or `0.1.0+3f2a91c` in a checkout, with `-dirty` if files were changed."""
    number = version("modstream")
    commit = _commit(folder or Path(__file__).resolve().parent)
    return f"{number}+{commit}" if commit else number


def _commit(folder: Path) -> str:
    git = which("git")
    if git is None:
        return ""
    command = [git, "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if not found.returncode else ""
