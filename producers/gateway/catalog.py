"""What the gateway knows of models: a port, since producers know the broker only."""

from dataclasses import dataclass
from typing import Protocol

from modstream.producers.gateway.protocol.metadata import ModelDescription, ModelState


class ModelCatalog(Protocol):
    """Describes the published models. Its functions may block, so they are called in threads."""

    def describe(self, model: str, version: int | str) -> ModelDescription | None:
        """Return the description of a version, or of the one behind an alias; None without one.

        Raises:
            NotServing: the registry does not respond.
        """

    def index(self) -> list[ModelState]:
        """Return the state of every version that an alias of a published model means.

        Raises:
            NotServing: the registry does not respond.
        """


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A prediction from the store of precomputed ones; `outputs` is JSON, `age` is in seconds."""

    model: str
    version: int
    outputs: bytes
    age: float
    is_stale: bool


class AnswerStore(Protocol):
    """The store of precomputed predictions. Its functions may block."""

    def get(self, model: str, key: str) -> StoredAnswer | None:
        """Return the newest prediction of a key, or None.

        Raises:
            NotServing: the store does not respond.
        """


class IdempotencyStore(Protocol):
    """Remembers which request an idempotency key was used for. Its functions may block."""

    def claim(self, scope: str, key: str, digest: str, ticket: str) -> str | None:
        """Remember a key with the digest of its request and its ticket, if it is new.

        Returns:
            The ticket of the first request with this key; None if this is the first one.

        Raises:
            IdempotencyConflict: the key was used for a request with another digest.
            NotServing: the store does not respond.
        """
