"""Dead letters of a stream with personal features: their values are sealed.

A dead letter has its request as it was received, so that it can be redriven. Whatever is wrong with
the request, personal data may be anywhere in it. So its whole value is sealed with the key of the
person. A worker opens it when it is redriven.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modstream.broker.loop.ports import Handler, HandlerResult
from modstream.broker.wire.codec import salvage_id
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.originals import read_original
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.record_size import cut_value, fits
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.sealed import PREFIX_BYTES, Seal
from modstream.broker.wire.topics import CONNECT_ERROR_PREFIX, Header
from modstream.processors.predict.personal_requests import PersonSecrets
from modstream.processors.predict.request_documents import person_of


@dataclass(frozen=True, slots=True)
class SealedLetters:
    """Calls a handler of requests, and seals the dead letters that it returns."""

    handle: Handler
    topic: str
    secrets: PersonSecrets
    limits: RecordLimits

    def __call__(self, batch: Sequence[Record]) -> HandlerResult:
        """Handle one polled batch."""
        result = self.handle(batch)
        if all(record.topic != self.topic for record in result.records):
            return result
        received = {record.position: record for record in batch}
        records = [
            self._sealed(record, received) if record.topic == self.topic else record
            for record in result.records
        ]
        return result._replace(records=records)

    def _sealed(self, letter: ProducerRecord, received: Mapping[str, Record]) -> ProducerRecord:
        """Return a dead letter with the sealed value of the request that was received.

        A letter that would be too large is cut, and has nothing of the value.
        """
        cause = read_cause(_stored(letter))
        position = ":".join(cause.get(name, "") for name in ("topic", "partition", "offset"))
        request = received[position]
        if not request.value or request.value.startswith(PREFIX_BYTES):
            return letter._replace(value=request.value)
        if read_original(_stored(letter)) is not None:
            return letter._replace(value=b"")
        person = person_of(request, salvage_id(request.value))
        seal = Seal(self.secrets.of([person])[person])
        header = (Header.SEALED_FOR.value, person.encode(errors="replace"))
        headers = (*letter.headers, header)
        sealed = letter._replace(value=seal.record(request.value), headers=headers)
        limit = self.limits.of(self.topic)
        if fits(sealed, limit):
            return sealed
        causes = tuple(one for one in letter.headers if one[0].startswith(CONNECT_ERROR_PREFIX))
        whole = letter._replace(value=request.value)
        return cut_value(whole, position, limit, keep=causes)._replace(value=b"")


def _stored(letter: ProducerRecord) -> Record:
    """Return a letter as a consumer reads it, for its headers."""
    return Record(letter.topic, 0, 0, letter.key, letter.value, letter.headers)
