"""The journal: every request that was sent, and what became of the sending."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from modstream.broker.client.publisher import UNKNOWN_OFFSET, Delivered
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.records import Outgoing
from modstream.models.examples.echo import FEATURE
from modstream.operations.verify.outcomes import Place


class Fate(StrEnum):
    """How a sending ended."""

    OK = "ok"
    """Acknowledged: the request lies in its topic."""
    FAILED = "failed"
    """Refused: it surely does not."""
    UNKNOWN = "unknown"
    """No word, or a timeout: it may lie there once or not at all."""


@dataclass(slots=True)
class Sent:
    """One request: the how many-eth of its key, the number that it asks to be told back.

    `partition` and `offset` say where it lies once it is acknowledged, -1 before; the offset stays
    unknown where the broker could not tell it.
    """

    id: str
    key: str
    sequence: int
    value: int
    fate: Fate = Fate.UNKNOWN
    partition: int = -1
    offset: int = UNKNOWN_OFFSET

    def outgoing(self, topic: str, model: str) -> Outgoing:
        """The record that asks the echo model of that name."""
        request = Request(id=self.id, features={FEATURE: self.value}, model=model)
        return Outgoing(topic, self.key.encode(), encode(request))


class Journal:
    """All requests of one run by id; `run` begins every id, and no other run's."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.sent: dict[str, Sent] = {}
        self._next: Counter[str] = Counter()

    def enter(self, key: str) -> Sent:
        """Write down the next request of a key, before it is sent."""
        sequence = self._next[key]
        self._next[key] += 1
        name = f"{self.run}-{key}-{sequence}"
        sent = self.sent[name] = Sent(name, key, sequence, hashed(name))
        return sent

    def note(self, sent: Sent, delivered: Delivered) -> None:
        """Write down what its delivery report says."""
        if delivered.record is not None:
            sent.partition, sent.offset = delivered.record.partition, delivered.record.offset
            sent.fate = Fate.OK
        elif delivered.error is not None and delivered.error.refused:
            sent.fate = Fate.FAILED

    def relocate(self, name: str, place: Place) -> None:
        """A request lies at another place as well, and that is the one that was answered.

        An idempotent producer may do so: when a leader dies, librdkafka can write with a new epoch
        what it had written already. Requests are told apart by id, so the first copy is answered.
        """
        self.sent[name].partition, self.sent[name].offset = place


def hashed(name: str) -> int:
    """The 24-bit hash of an id: few enough bits to be exact in float32."""
    return int.from_bytes(blake2b(name.encode(), digest_size=3).digest())
