"""Reads of the registry's keys, parsed into plain values."""

from dataclasses import dataclass

import redis

from modstream.models.registry.cards import parse_card
from modstream.models.registry.history import HistoryEntry
from modstream.models.registry.keys import RegistryKeys
from modstream.models.schema.card import ModelCard
from modstream.models.security.alias_move import SignedMove

MAX_DIGITS = 18
"""The most digits that a version number can have."""


def decode_text(value: bytes | str | None) -> str:
    """Return a reply as text, whether or not the client decodes replies; "" for None."""
    return value.decode() if isinstance(value, bytes) else value or ""


@dataclass(frozen=True, slots=True)
class RegistryQueries:
    """Reads of one registry through a client, or through a pipeline that watches its keys."""

    client: redis.Redis
    keys: RegistryKeys

    def names(self) -> list[str]:
        """Return the names of all models, sorted."""
        return sorted(decode_text(name) for name in self.client.smembers(self.keys.names))

    def latest(self, name: str) -> int:
        """Return the highest version number assigned so far, 0 if there is none."""
        return int(self.client.get(self.keys.latest(name)) or 0)

    def card(self, name: str, version: int) -> ModelCard | None:
        """Return the card of a version, None if there is no such version."""
        raw = self.client.hget(self.keys.cards(name), str(version))
        return None if raw is None else parse_card(name, version, raw)

    def cards(self, name: str) -> list[ModelCard]:
        """Return all cards of a model, oldest first."""
        found = {int(key): raw for key, raw in self.client.hgetall(self.keys.cards(name)).items()}
        return [parse_card(name, version, found[version]) for version in sorted(found)]

    def find_version(self, name: str, version: int) -> int | None:
        """Return a version's number if it is registered, otherwise None."""
        return version if self.client.hexists(self.keys.cards(name), str(version)) else None

    def alias(self, name: str, alias: str) -> int | None:
        """Return the version that an alias points at, None if there is no such alias."""
        version = self.client.hget(self.keys.aliases(name), alias)
        return None if version is None else _version_number(version)

    def aliases(self, name: str) -> dict[str, int]:
        """Return the version of each alias, sorted by alias."""
        found = self.client.hgetall(self.keys.aliases(name)).items()
        return {decode_text(alias): _version_number(version) for alias, version in sorted(found)}

    def move(self, name: str, alias: str) -> SignedMove | None:
        """Return the signed move of an alias, None if there is none or it cannot be read."""
        return SignedMove.parse(self.client.hget(self.keys.moves(name), alias))

    def moves(self, name: str) -> dict[str, SignedMove]:
        """Return the signed move of each alias that has one."""
        found = self.client.hgetall(self.keys.moves(name)).items()
        parsed = ((decode_text(alias), SignedMove.parse(raw)) for alias, raw in found)
        return {alias: move for alias, move in parsed if move is not None}

    def stored_artifacts(self, name: str) -> dict[int, str]:
        """Return the SHA-256 of each version whose artifact is still stored."""
        found = self.client.hgetall(self.keys.stored_artifacts(name)).items()
        return {int(version): decode_text(sha256) for version, sha256 in found}

    def history(self, name: str, alias: str) -> list[HistoryEntry]:
        """Return the moves of one alias, oldest first."""
        return [
            HistoryEntry.from_stream_entry(
                alias,
                decode_text(entry_id),
                {decode_text(key): decode_text(value) for key, value in fields.items()},
            )
            for entry_id, fields in self.client.xrange(self.keys.history(name, alias)) or []
            if fields is not None
        ]


def _version_number(raw: bytes | str) -> int:
    """Return the version number of an alias; 0, an unused number, if it is not a number."""
    text = decode_text(raw)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else 0
