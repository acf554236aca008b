"""Sealed data: encrypted with the key of a person, and unreadable once that key is destroyed.

AES-256-GCM with a random nonce. The encryption key is derived from the person's secret, and the
name of what is sealed is authenticated, so that a sealed value is of no use in another place. A
sealed field of JSON is a text, `sealed:1:` and base64; its content is the JSON of the value. A
sealed record has the same prefix, and bytes.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from os import urandom
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from modstream.broker.errors import SealBroken

PREFIX = "sealed:1:"
PREFIX_BYTES = PREFIX.encode()
NONCE_BYTES = 12
WHOLE_RECORD = ""
"""In place of the name of a field: the whole value of a record."""


class Seal:
    """Seals and opens data with the secret of one person."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(secret, b"seal", "sha256"))

    def field(self, name: str, value: object) -> str:
        """Return a value of JSON as a sealed text."""
        return PREFIX + urlsafe_b64encode(self._seal(name, json.dumps(value).encode())).decode()

    def open_field(self, name: str, text: str) -> Any:  # noqa: ANN401 - any value of JSON
        """Return the value of a sealed text.

        Raises:
            SealBroken: it was sealed for another person or field, or with a key that is destroyed.
        """
        try:
            sealed = urlsafe_b64decode(text[len(PREFIX) :])
        except (NotBase64, ValueError):
            raise SealBroken from None
        return json.loads(self._open(name, sealed))

    def record(self, value: bytes) -> bytes:
        """Return the whole value of a record, sealed."""
        return PREFIX_BYTES + self._seal(WHOLE_RECORD, value)

    def open_record(self, value: bytes) -> bytes:
        """Return the value of a sealed record.

        Raises:
            SealBroken: as `open_field`.
        """
        return self._open(WHOLE_RECORD, value[len(PREFIX_BYTES) :])

    def _seal(self, name: str, content: bytes) -> bytes:
        nonce = urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, name.encode())

    def _open(self, name: str, sealed: bytes) -> bytes:
        nonce, content = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, content, name.encode())
        except (InvalidTag, ValueError):
            raise SealBroken from None


def is_sealed(value: object) -> bool:
    """Return whether a field of JSON is sealed."""
    return isinstance(value, str) and value.startswith(PREFIX)
