"""Ed25519 signatures of model cards (RFC 8032), which prove who published a version.

A card contains the SHA-256 of its artifact, so its signature covers the artifact as well.
"""

import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from modstream.models.errors import UntrustedModel
from modstream.models.schema.card import ModelCard


class SigningKey:
    """A publisher's private key; it is never printed, and stored only in its file."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def generate(cls) -> Self:
        """Return a new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key that `save` wrote.

        Raises:
            ValueError: the file does not contain a private key in base64.
        """
        return cls(Ed25519PrivateKey.from_private_bytes(_decode_base64(path.read_text().strip())))

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
        """Return the card with this key's signature, in place of any other."""
        signature = b64encode(self._private.sign(card.canonical_bytes())).decode()
        return card.model_copy(update={"signature": signature})


class Trust:
    """The public keys whose signature allows a model to be loaded.

    Without keys every model is trusted, signed or not. That is meant for development, where every
    writer to the registry is trusted anyway.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        """Take public keys in base64.

        Raises:
            ValueError: one of them is not a public key.
        """
        self._keys = tuple(Ed25519PublicKey.from_public_bytes(_decode_base64(key)) for key in keys)

    @property
    def is_unrestricted(self) -> bool:
        """Whether every model is trusted because no keys are configured."""
        return not self._keys

    def verify(self, card: ModelCard) -> None:
        """Raise unless a trusted key has signed exactly this card.

        Raises:
            UntrustedModel: the card has no signature, or none by a trusted key over its content.
        """
        if self.is_unrestricted:
            return
        if card.signature is None:
            raise UntrustedModel(card.name, card.version, "it is not signed")
        if not any(_is_signed_by(key, card) for key in self._keys):
            reason = "no trusted key has signed this content"
            raise UntrustedModel(card.name, card.version, reason)


def _is_signed_by(key: Ed25519PublicKey, card: ModelCard) -> bool:
    try:
        key.verify(b64decode(card.signature or "", validate=True), card.canonical_bytes())
    except (InvalidSignature, NotBase64, ValueError):
        return False
    return True


def _decode_base64(text: str) -> bytes:
    return b64decode(text, validate=True)
