"""What Redis holds about a model, read into plain values."""

from dataclasses import dataclass

import redis
from pydantic import ValidationError

from modstream.models.errors import UnreadableCard
from modstream.models.registry.history import HistoryEntry
from modstream.models.registry.keys import Keys
from modstream.models.schema.card import ModelCard


def text(value: bytes | str | None) -> str:
    """The text of a reply, whether or not the client decodes its replies; none is empty."""
    return value.decode() if isinstance(value, bytes) else value or ""


@dataclass(frozen=True, slots=True)
class Records:
    """Reads of one registry through a client, or through a pipeline that watches its keys."""

    client: redis.Redis
    keys: Keys

    def names(self) -> list[str]:
        """Every model name, sorted."""
        return sorted(text(name) for name in self.client.smembers(self.keys.names))

    def latest(self, name: str) -> int:
        """The highest version given out, 0 before the first."""
        return int(self.client.get(self.keys.latest(name)) or 0)

    def card(self, name: str, version: int) -> ModelCard | None:
        """The card of a version, None if there is no such version."""
        raw = self.client.hget(self.keys.cards(name), str(version))
        return None if raw is None else read_card(name, version, raw)

    def cards(self, name: str) -> list[ModelCard]:
        """Every card of a model, oldest first."""
        found = {int(key): raw for key, raw in self.client.hgetall(self.keys.cards(name)).items()}
        return [read_card(name, version, found[version]) for version in sorted(found)]

    def version(self, name: str, ref: int | str) -> int | None:
        """The version that a number or an alias stands for, None if there is none."""
        if isinstance(ref, str):
            return self.alias(name, ref)
        return ref if self.client.hexists(self.keys.cards(name), str(ref)) else None

    def alias(self, name: str, alias: str) -> int | None:
        """The version an alias points at, None if there is no such alias."""
        version = self.client.hget(self.keys.aliases(name), alias)
        return None if version is None else int(version)

    def aliases(self, name: str) -> dict[str, int]:
        """Alias to version, by alias."""
        found = self.client.hgetall(self.keys.aliases(name)).items()
        return {text(alias): int(version) for alias, version in sorted(found)}

    def held(self, name: str) -> dict[int, str]:
        """Version to SHA-256 of the versions whose artifact is still stored."""
        found = self.client.hgetall(self.keys.held(name)).items()
        return {int(version): text(sha256) for version, sha256 in found}

    def history(self, name: str, alias: str, newest: int | None = None) -> list[HistoryEntry]:
        """The moves of one alias, oldest first; only the `newest` ones if so asked."""
        entries = self.client.xrevrange(self.keys.history(name, alias), count=newest) or []
        return [
            HistoryEntry.read(
                alias, text(entry), {text(key): text(value) for key, value in fields.items()}
            )
            for entry, fields in reversed(entries)
            if fields is not None
        ]


def read_card(name: str, version: int, raw: bytes | str) -> ModelCard:
    """Read a stored card.

    Raises:
        UnreadableCard: it is damaged, of a format that this code does not know, or the card of
            another version, whose good signature must not vouch for this one.
    """
    try:
        card = ModelCard.model_validate_json(raw)
    except ValidationError as error:
        raise UnreadableCard(name, version, str(error)) from error
    if (card.name, card.version) != (name, version):
        raise UnreadableCard(name, version, f"it is that of {card.name} version {card.version}")
    return card
