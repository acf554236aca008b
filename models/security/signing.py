"""Ed25519 signatures (RFC 8032) of model cards and of moves of aliases.

A card contains the SHA-256 of its artifact, so its signature covers the artifact as well. Cards and
moves name the installation that they were signed for: what is copied to another one is not trusted
there, even if both trust the same key.
"""

import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from modstream.models.errors import UnreadableKey, UntrustedModel
from modstream.models.schema.card import ModelCard
from modstream.models.security.alias_move import SignedMove

NOT_SIGNED = "it is not signed"
UNKNOWN_SIGNATURE = "no trusted key has signed this content"


class SigningKey:
    """A publisher's private key; it is never printed, and stored only in its file.

    `installation` is the name of the installation that it signs for.
    """

    def __init__(self, private: Ed25519PrivateKey, installation: str = "") -> None:
        self._private = private
        self._installation = installation

    @classmethod
    def generate(cls, installation: str = "") -> Self:
        """Return a new random key."""
        return cls(Ed25519PrivateKey.generate(), installation)

    @classmethod
    def load(cls, path: Path, installation: str = "") -> Self:
        """Read a key that `save` wrote.

        Raises:
            UnreadableKey: the file cannot be read, or does not contain a private key in base64.
        """
        try:
            private = Ed25519PrivateKey.from_private_bytes(_decode_base64(path.read_text().strip()))
        except (OSError, ValueError) as error:
            raise UnreadableKey(str(path), _reason(error)) from None
        return cls(private, installation)

    def save(self, path: Path) -> None:
        """Write the key in base64 to a new file that only its owner can read.

        Raises:
            FileExistsError: the file exists; a key is never overwritten.
        """
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(b64encode(self._private.private_bytes_raw()).decode() + "\n")

    @property
    def public_key(self) -> str:
        """The public key in base64, which verifies this key's signatures; `Trust` takes it."""
        return b64encode(self._private.public_key().public_bytes_raw()).decode()

    def sign(self, card: ModelCard) -> ModelCard:
        """Return the card for the key's installation, with a signature in place of any other."""
        bound = card.model_copy(update={"installation": self._installation})
        return bound.model_copy(update={"signature": self._signature(bound.canonical_bytes())})

    def sign_move(self, model: str, alias: str, version: int, sequence: int) -> SignedMove:
        """Return the signed statement that an alias points at a version from this move on."""
        move = SignedMove(
            installation=self._installation,
            model=model,
            alias=alias,
            version=version,
            sequence=sequence,
        )
        return move.model_copy(update={"signature": self._signature(move.canonical_bytes())})

    def _signature(self, content: bytes) -> str:
        return b64encode(self._private.sign(content)).decode()


class Trust:
    """The public keys whose signature allows a model to be loaded, and an alias to be followed.

    Without keys every model and alias is trusted, signed or not. That is meant for development,
    where every writer to the registry is trusted anyway.
    """

    def __init__(self, keys: Sequence[str] = (), installation: str = "") -> None:
        """Take public keys in base64, and the installation for which they must have signed.

        Raises:
            UnreadableKey: one of them is not a public key.
        """
        self.keys = tuple(keys)
        self.installation = installation
        self._public = tuple(map(_public_key, keys))

    @property
    def is_unrestricted(self) -> bool:
        """Whether everything is trusted because no keys are configured."""
        return not self._public

    def verify(self, card: ModelCard) -> None:
        """Raise unless a trusted key has signed exactly this card for this installation.

        Raises:
            UntrustedModel: the card has no signature, or none by a trusted key over its content, or
                one for another installation.
        """
        problem = self.problem(card)
        if problem is not None:
            raise UntrustedModel(card.name, card.version, problem)

    def problem(self, card: ModelCard) -> str | None:
        """Return why a card is not trusted, None if it is."""
        if self.is_unrestricted:
            return None
        return self._problem(card.signature, card.canonical_bytes(), card.installation)

    def move_problem(self, move: SignedMove | None, model: str, alias: str) -> str | None:
        """Return why the move of an alias is not trusted, None if it is."""
        if self.is_unrestricted:
            return None
        if move is None:
            return NOT_SIGNED
        if (move.model, move.alias) != (model, alias):
            return f"its signature is that of {move.alias!r} of {move.model}"
        return self._problem(move.signature, move.canonical_bytes(), move.installation)

    def _problem(self, signature: str | None, content: bytes, installation: str) -> str | None:
        """Return why a signed content is not trusted, None if it is."""
        if signature is None:
            return NOT_SIGNED
        if not any(_is_signed_by(key, signature, content) for key in self._public):
            return UNKNOWN_SIGNATURE
        if installation == self.installation:
            return None
        signed_for = f"the installation {installation!r}" if installation else "no installation"
        return f"it was signed for {signed_for}, and this one is {self.installation!r}"


def _is_signed_by(key: Ed25519PublicKey, signature: str, content: bytes) -> bool:
    try:
        key.verify(b64decode(signature, validate=True), content)
    except (InvalidSignature, NotBase64, ValueError):
        return False
    return True


def _public_key(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(_decode_base64(text))
    except ValueError as error:
        raise UnreadableKey(repr(text), _reason(error)) from None


def _decode_base64(text: str) -> bytes:
    return b64decode(text, validate=True)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is not an Ed25519 key in base64"
