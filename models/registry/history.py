"""The history of an alias: its moves, and the versions that it can be rolled back to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

from redis.typing import EncodableT, FieldT

from modstream.models.security.alias_move import SignedMove

MoveAction = Literal["publish", "promote", "rollback"]


@dataclass(frozen=True, slots=True)
class AliasMove:
    """One move of an alias that is about to be written, with the reason for it.

    `user` is the name of the person who asked for it, if one did. `signed` is the move with its
    signature, if the writer has a key.
    """

    alias: str
    old: int | None
    new: int
    action: MoveAction
    reason: str = ""
    user: str = ""
    signed: SignedMove | None = None

    def fields(self) -> dict[FieldT, EncodableT]:
        """Return the fields of the move's stream entry; Redis adds the time."""
        old = "" if self.old is None else str(self.old)
        fields: dict[FieldT, EncodableT] = {
            "from": old,
            "to": str(self.new),
            "action": self.action,
            "by": self.reason,
        }
        return {**fields, "user": self.user} if self.user else fields


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One recorded move of an alias; `at` is the time of Redis's clock, to the millisecond.

    `user` is the name of the person who asked for it, empty if it is not known.
    """

    alias: str
    old: int | None
    new: int
    action: MoveAction
    reason: str
    at: datetime
    user: str = ""

    @classmethod
    def from_stream_entry(
        cls, alias: str, entry_id: str, fields: Mapping[str, str]
    ) -> "HistoryEntry":
        """Return the move that a stream entry records; its id starts with the time in ms."""
        milliseconds = int(entry_id.partition("-")[0])
        return cls(
            alias=alias,
            old=int(fields["from"]) if fields["from"] else None,
            new=int(fields["to"]),
            action=cast("MoveAction", fields["action"]),
            reason=fields["by"],
            user=fields.get("user", ""),
            at=datetime.fromtimestamp(milliseconds / 1000, UTC),
        )

    def is_rollback_from(self, version: int) -> bool:
        """Return whether this move rolled the alias back from `version`."""
        return self.action == "rollback" and self.old == version


def alias_stack(entries: Iterable[HistoryEntry]) -> list[int]:
    """Return the versions that an alias can be rolled back to, oldest first, then its current one.

    A publish or promotion pushes a version, and a rollback pops one. So the second rollback in a
    row goes back two moves instead of undoing the first. The oldest entries of the history may
    have been trimmed; the stack then starts at the oldest remaining entry.
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
