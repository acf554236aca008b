"""What happened to an alias, move by move, and where it stood before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

from redis.typing import EncodableT, FieldT

Action = Literal["publish", "promote", "rollback"]


@dataclass(frozen=True, slots=True)
class Move:
    """One move of an alias that is about to be written, with the evidence for it."""

    alias: str
    old: int | None
    new: int
    action: Action
    evidence: str = ""

    def fields(self) -> dict[FieldT, EncodableT]:
        """The move as the fields of a stream entry; Redis adds the time."""
        old = "" if self.old is None else str(self.old)
        return {"from": old, "to": str(self.new), "action": self.action, "by": self.evidence}


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One move of an alias as the registry remembers it; `at` is Redis's clock, to the ms."""

    alias: str
    old: int | None
    new: int
    action: Action
    evidence: str
    at: datetime

    @classmethod
    def read(cls, alias: str, entry: str, fields: Mapping[str, str]) -> "HistoryEntry":
        """Read a stream entry; `entry` is its id, whose first half is milliseconds."""
        milliseconds = int(entry.partition("-")[0])
        return cls(
            alias=alias,
            old=int(fields["from"]) if fields["from"] else None,
            new=int(fields["to"]),
            action=cast("Action", fields["action"]),
            evidence=fields["by"],
            at=datetime.fromtimestamp(milliseconds / 1000, UTC),
        )

    def undid(self, version: int) -> bool:
        """Tell whether this move took the alias back from `version`."""
        return self.action == "rollback" and self.old == version


def trail(entries: Iterable[HistoryEntry]) -> list[int]:
    """The versions an alias can go back along, oldest first, the present one last.

    A publish or a promotion adds to the trail and a rollback takes from it, so that the second
    rollback goes back two moves instead of undoing the first. The oldest entries may have been
    trimmed away: the trail then begins where the remaining ones do.
    """
    versions: list[int] = []
    for entry in entries:
        if not versions and entry.old is not None:
            versions.append(entry.old)
        if entry.action == "rollback":
            versions = versions[:-1] or [entry.new]
        else:
            versions.append(entry.new)
    return versions
