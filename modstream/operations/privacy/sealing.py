"""Requests whose personal features only a worker can read, until the person's key is destroyed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modstream.broker.errors import PersonalInTensors
from modstream.broker.wire.sealed import Seal, is_sealed
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.producers.ports import Sealer
from modstream.settings import Settings


@dataclass(frozen=True, slots=True)
class SealedPerson:
    """What the requests of a person are sent with: the pseudonym as their key, and the seal."""

    key: str
    seal: Seal
    names: frozenset[str]

    def value(self, value: bytes, json_length: int | None = None) -> bytes:
        """Return the value of a request, with its personal features sealed.

        Raises:
            PersonalInTensors: it has personal features in tensors.
        """
        document = json.loads(value if json_length is None else value[:json_length])
        tensors = [one.get("name") for one in document.get("inputs") or ()]
        if found := sorted(self.names & set(tensors)):
            raise PersonalInTensors(found, document.get("id"))
        has_any = False
        for row, name in self._values(document.get("features")):
            row[name] = self.seal.field(name, row[name])
            has_any = True
        return json.dumps(document, separators=(",", ":")).encode() if has_any else value

    def _values(self, features: Any) -> Iterator[tuple[dict[str, Any], str]]:  # noqa: ANN401 - JSON
        """Yield the rows and names of the values to seal."""
        for row in features if isinstance(features, list) else [features or {}]:
            for name in self.names & row.keys():
                if row[name] is not None and not is_sealed(row[name]):
                    yield row, name


@dataclass(frozen=True, slots=True)
class RequestSealer:
    """Seals the features of some names."""

    keys: PersonKeys
    names: frozenset[str]

    def person(self, person: str) -> SealedPerson:
        """Return what the requests of a person are sent with; a new person gets a key.

        Raises:
            PersonKeysUnusable: the keys cannot be read or written.
        """
        alias, secret = self.keys.alias(person)
        return SealedPerson(alias, Seal(secret), self.names)


def request_sealer(settings: Settings) -> Sealer | None:
    """Return what seals the requests to a stream; None if the settings seal none."""
    names = settings.personal.sealed_names
    return RequestSealer(PersonKeys.of_home(settings.home), names) if names else None


def stored_key(settings: Settings, key: str) -> str:
    """Return the key that the records of a person have, given that of the person's requests.

    Raises:
        PersonKeysUnusable: the keys cannot be read.
    """
    if not settings.personal.sealed_names:
        return key
    return PersonKeys.of_home(settings.home).known_alias(key) or key
