"""Files of data sets: hashes, comparison with what was recorded, and that they are on the disk."""

import os
from collections.abc import Sequence
from hashlib import file_digest, sha256
from pathlib import Path

from modstream.datasets.dataset import DatasetFacts, DatasetFile
from modstream.datasets.errors import CatalogueUnusable, DatasetChanged

READ_ONLY = 0o444


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        CatalogueUnusable: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CatalogueUnusable(path, error.strerror or str(error)) from None


def hash_of_files(files: Sequence[DatasetFile]) -> str:
    """Return the SHA-256 of the list of files, each a line as `sha256sum` prints it."""
    lines = "".join(f"{file.sha256}  {file.name}\n" for file in files)
    return sha256(lines.encode()).hexdigest()


def check_files(folder: Path, facts: DatasetFacts) -> None:
    """Raise if a file of a version is not the one that was written.

    Raises:
        DatasetChanged: it is missing or has changed.
        CatalogueUnusable: it cannot be read.
    """
    name = f"{facts.name}@{facts.version}"
    for file in facts.files:
        path = folder / file.name
        if not path.is_file():
            raise DatasetChanged(name, path, "was removed")
        if path.stat().st_size != file.size or hash_file(path) != file.sha256:
            raise DatasetChanged(name, path, "has changed")


def make_immutable(path: Path) -> None:
    """Make a complete file read-only, and wait until it is on the disk."""
    path.chmod(READ_ONLY)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
