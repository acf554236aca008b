"""Personal features in requests: opened if they are sealed, and protected before anything else.

What steps, models and topics get is the protected request. See docs/adr/0043.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from modstream.broker.errors import DecodeError, NotJson, PersonalInTensors, SealBroken
from modstream.broker.wire.fast_codec import ABSENT
from modstream.broker.wire.records import Record
from modstream.broker.wire.sealed import PREFIX_BYTES, Seal, is_sealed
from modstream.broker.wire.topics import Header
from modstream.models.schema.personal import Protection
from modstream.processors.predict.request_documents import OpenRequest, Row, read_request, write
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.state import BatchState, Step

Positions = dict[int, DecodeError]
"""The errors of requests by their positions in the batch."""


class PersonSecrets(Protocol):
    """The secrets of persons, by the keys of their requests."""

    def of(self, persons: Iterable[str]) -> Mapping[str, bytes]:
        """Return the secrets of persons; a new person gets a new one."""

    def find(self, persons: Iterable[str]) -> Mapping[str, bytes]:
        """Return the secrets that exist."""


class PersonalFeatures(NamedTuple):
    """What becomes of the personal features of a stream, and the secrets of its persons."""

    protections: Mapping[str, Protection]
    secrets: PersonSecrets


@dataclass(frozen=True, slots=True)
class ProtectRequests:
    """Decodes requests whose personal features are protected; refuses those that cannot be."""

    decode: Step
    personal: PersonalFeatures
    settings: InferenceSettings
    max_request_bytes: int

    def __call__(self, state: BatchState) -> None:
        """Replace the records of the batch by protected ones, and decode them."""
        batch = state.batch
        records, errors = self._protect_all(batch.records, batch.events)
        headers = list(batch.headers)
        state.batch = batch._replace(records=records, headers=headers)
        self.decode(state)
        errors |= self._find_tensors(state)
        state.drop(errors.keys())
        state.undecodable |= errors

    def _protect_all(
        self, records: Sequence[Record], events: Collection[int]
    ) -> tuple[list[Record], Positions]:
        """Return the protected records, and the errors of those that cannot be protected."""
        opened, errors = open_records(records, self.personal.secrets)
        found: dict[int, OpenRequest] = {}
        for position, record in enumerate(opened):
            if position in errors or not record.value or self._is_too_large(record):
                continue
            try:
                document = read_request(record, is_event=position in events)
            except (ValueError, RecursionError, DecodeError):
                # The decoder may read what the parser here does not, so it must not get it.
                errors[position] = NotJson("its personal features cannot be looked at")
            else:
                found[position] = document
        secrets = self._secrets_of(found.values())
        for position, request in found.items():
            try:
                protected = self._protect(request, secrets.get(request.person))
            except SealBroken:
                errors[position] = SealBroken(request.request_id)
            else:
                if protected:
                    opened[position] = opened[position]._replace(value=write(request.document))
        for position in errors:
            opened[position] = opened[position]._replace(value=b"")
        return opened, errors

    def _is_too_large(self, record: Record) -> bool:
        """Return whether the decoder will refuse a record by its size."""
        return len(record.value or b"") > self.max_request_bytes

    def _values(self, request: OpenRequest) -> Iterator[tuple[Row, str, Protection]]:
        """Yield the personal features that rows have."""
        for row in request.rows:
            for name, protection in self.personal.protections.items():
                if name in row:
                    yield row, name, protection

    def _secrets_of(self, requests: Iterable[OpenRequest]) -> dict[str, bytes]:
        """Return the secrets that are needed; only a person without sealed data can be new."""
        sealed, new = [], []
        for request in requests:
            found = list(self._values(request))
            if any(is_sealed(row[name]) for row, name, _ in found):
                sealed.append(request.person)
            elif any(one.needs_secret and row[name] is not None for row, name, one in found):
                new.append(request.person)
        secrets: dict[str, bytes] = {}
        if sealed:
            secrets |= self.personal.secrets.find(sealed)
        if new:
            secrets |= self.personal.secrets.of(new)
        return secrets

    def _protect(self, request: OpenRequest, secret: bytes | None) -> bool:
        """Protect the features of a request in place; return whether there are any.

        Raises:
            SealBroken: one is sealed, and cannot be opened.
        """
        has_any = request.has_changed
        for row, name, protection in list(self._values(request)):
            value = row[name]
            if is_sealed(value):
                if secret is None:
                    raise SealBroken
                value = Seal(secret).open_field(name, value)
            kept = protection.apply(name, value, secret)
            if protection.kind == "drop":
                del row[name]
            else:
                row[name] = kept
            has_any = True
        return has_any

    def _find_tensors(self, state: BatchState) -> Positions:
        """Return the errors of requests that have personal features in tensors."""
        errors: Positions = {}
        for fast in state.fast:
            names = self._named(fast.model.card.input_schema.names)
            if names and fast.heads and fast.heads[0].inputs is not ABSENT:
                for position, head in zip(fast.positions, fast.heads, strict=True):
                    errors[position] = PersonalInTensors(names, head.id)
        for position, request in state.requests.items():
            if request.inputs is not None:
                own = [tensor.name for tensor in request.inputs]
                names = self._named([*own, *self._features_of(state, request.model)])
                if names:
                    errors[position] = PersonalInTensors(names, request.id)
        return errors

    def _features_of(self, state: BatchState, asked: str | None) -> Iterator[str]:
        """Yield the features of the models that a request asks, in any version that is loaded."""
        models = self.settings.models_for(asked)
        for card in state.resolver.resolved_cards():
            if card.name in models:
                yield from card.input_schema.names

    def _named(self, names: Iterable[str]) -> list[str]:
        return sorted(self.personal.protections.keys() & set(names))


def open_records(
    records: Sequence[Record], secrets: PersonSecrets
) -> tuple[list[Record], Positions]:
    """Return records with the content of those that are sealed as a whole, and the errors."""
    opened = list(records)
    sealed = {
        position: (record.header(Header.SEALED_FOR) or b"").decode(errors="replace")
        for position, record in enumerate(records)
        if record.value is not None and record.value.startswith(PREFIX_BYTES)
    }
    errors: Positions = {}
    known = secrets.find(sealed.values()) if sealed else {}
    for position, person in sealed.items():
        record = opened[position]
        try:
            value = open_whole(record, known.get(person))
        except SealBroken as error:
            errors[position] = error
        else:
            opened[position] = record._replace(value=value)
    return opened, errors


def open_whole(record: Record, secret: bytes | None) -> bytes:
    """Return the content of a record that is sealed as a whole.

    Raises:
        SealBroken: there is no secret, or another one.
    """
    if secret is None:
        raise SealBroken
    return Seal(secret).open_record(record.value or b"")
