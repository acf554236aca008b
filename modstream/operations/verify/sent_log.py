"""The log of all requests sent, with the status of each send."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from modstream.broker.client.publisher import UNKNOWN_OFFSET, DeliveryReport
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.records import ProducerRecord
from modstream.models.examples.echo import ECHO_FEATURE
from modstream.operations.verify.outcomes import PartitionOffset


class SendStatus(StrEnum):
    """The status of a send."""

    OK = "ok"
    """Acknowledged: the request is in its topic."""
    FAILED = "failed"
    """Rejected: the request is certainly not in its topic."""
    UNKNOWN = "unknown"
    """No delivery report, or a timeout: the request may be in its topic or not."""


@dataclass(slots=True)
class SentRequest:
    """One request: its sequence number within its key, and the number that must be echoed.

    `partition` and `offset` are its position once it is acknowledged, -1 before. The offset stays
    unknown if the broker did not return it.
    """

    id: str
    key: str
    sequence: int
    value: int
    status: SendStatus = SendStatus.UNKNOWN
    partition: int = -1
    offset: int = UNKNOWN_OFFSET

    def to_record(self, topic: str, model: str) -> ProducerRecord:
        """Return the record of the request to the echo model of this request_id."""
        request = Request(id=self.id, features={ECHO_FEATURE: self.value}, model=model)
        return ProducerRecord(topic, self.key.encode(), encode(request))


class SentLog:
    """All requests of one run by id; each id starts with `run`, which is unique."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.sent: dict[str, SentRequest] = {}
        self._next_sequence: Counter[str] = Counter()

    def create_request(self, key: str) -> SentRequest:
        """Create and log the next request of a key, before it is sent."""
        sequence = self._next_sequence[key]
        self._next_sequence[key] += 1
        request_id = f"{self.run}-{key}-{sequence}"
        sent = self.sent[request_id] = SentRequest(
            request_id, key, sequence, hash_to_24_bits(request_id)
        )
        return sent

    def note_delivery(self, sent: SentRequest, delivered: DeliveryReport) -> None:
        """Set a request's status from its delivery report."""
        if delivered.record is not None:
            sent.partition, sent.offset = delivered.record.partition, delivered.record.offset
            sent.status = SendStatus.OK
        elif delivered.error is not None and delivered.error.is_rejected:
            sent.status = SendStatus.FAILED

    def relocate(self, request_id: str, position: PartitionOffset) -> None:
        """Set a request's position to that of the copy that was answered.

        An idempotent producer can write a copy: when a leader dies, librdkafka may write records
        again with a new epoch. Requests are deduplicated by id, so the first copy is answered.
        """
        self.sent[request_id].partition, self.sent[request_id].offset = position


def hash_to_24_bits(request_id: str) -> int:
    """Return a 24-bit hash of an id, which is exact in float32."""
    return int.from_bytes(blake2b(request_id.encode(), digest_size=3).digest())
