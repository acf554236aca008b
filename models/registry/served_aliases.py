"""Where each alias pointed when a version was last loaded for it, in the folder of backups.

A process that starts reads two things from it: the version that it can serve if the alias cannot be
followed, and the sequence below which a move of the alias is an old one that was put back.
"""

from pathlib import Path

import structlog

from modstream.models.registry.backup import write_atomically
from modstream.models.security.alias_move import SignedMove

log = structlog.get_logger(__name__)

SUFFIX = ".alias"


class ServedAliases:
    """The moves that were served, below one folder; safe to use from threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str, alias: str) -> SignedMove | None:
        """Return the move that was served last, None if there is none or it cannot be read.

        Its signature is not verified: the file is as trustworthy as the settings beside it.
        """
        try:
            return SignedMove.parse(self._path(name, alias).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return None

    def record(self, newest: SignedMove | None, name: str, alias: str, version: int) -> None:
        """Record that a version was loaded for an alias; a failure is only logged.

        `newest` is the alias's newest move that was verified, None where moves are not signed. A
        version that is not that of this move is out of date already, and not recorded.
        """
        if newest is None:
            newest = SignedMove(
                installation="", model=name, alias=alias, version=version, sequence=0
            )
        stored = self.get(name, alias)
        # Several processes share the folder, and one of them may be behind.
        is_later = stored is None or not newest.signature or stored.sequence <= newest.sequence
        if newest.version == version and stored != newest and is_later:
            self._put(newest)

    def _put(self, move: SignedMove) -> None:
        path = self._path(move.model, move.alias)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, move.model_dump_json().encode())
        except OSError as error:
            log.warning(
                "served alias not recorded",
                model=move.model,
                alias=move.alias,
                reason=error.strerror or type(error).__name__,
            )

    def _path(self, name: str, alias: str) -> Path:
        return self._folder / name / f"{alias}{SUFFIX}"
