"""The record of the openings of sealed test sets: one line of JSON each, only ever appended."""

import fcntl
import json
import os
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import NamedTuple, Self

from modstream.datasets.dataset import DatasetFacts
from modstream.datasets.errors import CatalogueUnusable

OPENINGS = "openings.jsonl"


class Opening(NamedTuple):
    """Who opened which version of a test set, when (ISO 8601, UTC) and why."""

    time: str
    who: str
    reason: str
    version: int
    sha256: str

    @classmethod
    def read_all(cls, folder: Path) -> list[Self]:
        """Return the openings that are recorded in the folder of a data set, oldest first.

        Raises:
            CatalogueUnusable: they cannot be read.
        """
        path = folder / OPENINGS
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            return [cls(**json.loads(line)) for line in lines]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise CatalogueUnusable(path, str(error)) from None


def record_opening(folder: Path, facts: DatasetFacts, reason: str, who: str | None) -> Opening:
    """Record an opening; it is on the disk when this returns.

    Raises:
        CatalogueUnusable: there is no reason, or it cannot be recorded.
    """
    path = folder / OPENINGS
    if not reason.strip():
        raise CatalogueUnusable(path, "give the reason for which the test set is opened")
    opening = Opening(
        datetime.now(UTC).isoformat(timespec="seconds"),
        who or getuser(),
        reason.strip(),
        facts.version,
        facts.sha256,
    )
    line = json.dumps(opening._asdict()).encode() + b"\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise CatalogueUnusable(path, error.strerror or str(error)) from None
    return opening
