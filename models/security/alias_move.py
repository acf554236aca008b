"""The signed statement of a publisher that an alias points at a version."""

import json
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class SignedMove(BaseModel):
    """Where an alias points from one of its moves on, as it is stored beside the alias.

    Of two moves of an alias, the one with the higher `sequence` is the later one. `signature` is
    the Ed25519 signature of `canonical_bytes()`, in base64.
    """

    model_config = ConfigDict(frozen=True)

    installation: str
    model: str
    alias: str
    version: int = Field(ge=1)
    sequence: int = Field(ge=0)
    signature: str = ""

    @classmethod
    def parse(cls, raw: bytes | str | None) -> Self | None:
        """Return a stored move, None if there is none or it cannot be read."""
        try:
            return None if raw is None else cls.model_validate_json(raw)
        except ValidationError:
            return None

    def canonical_bytes(self) -> bytes:
        """Return the bytes that a signature signs: JSON with sorted keys, without the signature.

        The field `kind` keeps a signature from serving for another kind of content.
        """
        content = {**self.model_dump(exclude={"signature"}), "kind": "alias-move"}
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
