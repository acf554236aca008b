"""Signs what a writer adds to the registry: cards, and moves of aliases."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from modstream.models.registry.errors import SigningKeyMissing
from modstream.models.schema.card import ModelCard
from modstream.models.security.alias_move import SignedMove
from modstream.models.security.signing import SigningKey, Trust


@dataclass(frozen=True, slots=True)
class SigningReport:
    """What was signed again of a model, and what was left because it was not trusted before."""

    versions: tuple[int, ...]
    aliases: Mapping[str, int]
    refused_versions: tuple[int, ...]
    refused_aliases: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Signer:
    """The key of a writer, if it has one, and the keys that are trusted."""

    key: SigningKey | None = None
    trust: Trust = field(default_factory=Trust)

    def require_key(self) -> None:
        """Raise if the writer could only write what is not trusted.

        Raises:
            SigningKeyMissing: it has no key, and only signed models are trusted.
        """
        if self.key is None and not self.trust.is_unrestricted:
            raise SigningKeyMissing

    def sign_card(self, card: ModelCard) -> ModelCard:
        """Return the card, signed if there is a key."""
        return card if self.key is None else self.key.sign(card)

    def sign_move(
        self, name: str, alias: str, version: int, previous: SignedMove | None
    ) -> SignedMove | None:
        """Return the signed move of an alias, later than its `previous` one; None without a key.

        Sequences are times in ms, so that a move is later than those that Redis has lost, too.
        """
        if self.key is None:
            return None
        sequence = int(time.time() * 1000)
        if previous is not None and self.trust.move_problem(previous, name, alias) is None:
            sequence = max(sequence, previous.sequence + 1)
        return self.key.sign_move(name, alias, version, sequence)

    def is_signed(self, name: str, alias: str, version: int, move: SignedMove | None) -> bool:
        """Return whether an alias that points at a version needs no other signature."""
        if self.key is None or self.trust.is_unrestricted:
            return True
        is_trusted = self.trust.move_problem(move, name, alias) is None
        return is_trusted and move is not None and move.version == version
