"""The folder of one partition's store: the database, and a mark if it is damaged."""

import shutil
from contextlib import suppress
from pathlib import Path
from time import time

from modstream.processors.errors import StateUnusable


class StoreFolder:
    """`PATH/db` has RocksDB's files; `PATH/damaged` says why they are not opened again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "db"
        self._mark = path / "damaged"

    @property
    def is_empty(self) -> bool:
        """Whether there is no database."""
        return not self.database.exists()

    def condemn(self, reason: str) -> None:
        """Note that the database is damaged; if that cannot be written, opening it will tell."""
        with suppress(OSError):
            self._mark.write_text(reason)

    def damage(self) -> str:
        """Return why the database is damaged; empty if nothing is known of it."""
        try:
            return self._mark.read_text() or "unknown"
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise StateUnusable(self.path, str(error)) from error

    def clear(self) -> None:
        """Remove everything, and create the folder.

        Raises:
            StateUnusable: that is not permitted.
        """
        try:
            if self.path.exists():
                shutil.rmtree(self.path)
            self.path.mkdir(parents=True)
        except OSError as error:
            raise StateUnusable(self.path, str(error)) from error

    def idle_seconds(self) -> float:
        """Return for how long no file was changed."""
        newest = 0.0
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in self.path.rglob("*"))
        return time() - newest
