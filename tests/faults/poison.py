"""Records that no worker can answer with a prediction, sent among good ones."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import NamedTuple

from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Delivered, Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode_answer
from modstream.broker.wire.contracts import ErrorAnswer
from modstream.broker.wire.dead_letters import cause_of
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import Topics
from modstream.models.examples.echo import FEATURE
from modstream.operations.verify.observer import exits
from modstream.operations.verify.outcomes import DEAD_LETTER, REFUSAL, Place, sighting

DEPTH = 10_000
"""Ten times what Python's own parsers follow; 20 kB, so that it is the nesting that costs."""
TEN_MEGABYTES = 10 * 1024 * 1024
LARGE = "poison, 10 MB too"


class WayOut(NamedTuple):
    """By which door a record leaves, and with which code."""

    kind: str
    code: str


class Poison(NamedTuple):
    """Values that are sent one after the other with one key, and how each must leave."""

    values: Sequence[bytes | None]
    way_out: WayOut


def legible(model: str, **facts: object) -> bytes:
    return json.dumps({"id": "poison", "model": model, **facts}).encode()


def poisons(model: str) -> Mapping[str, Poison]:
    """Every kind by name."""
    not_json = WayOut(DEAD_LETTER, "not_json")
    tensor = {"name": FEATURE, "shape": [2], "datatype": "FP32", "data": [1.0, 2.0, 3.0]}
    whole = legible(model, features={FEATURE: 1.0})
    half = len(whole) // 2
    return {
        "not JSON": Poison([b"\x00rubbish\xff"], not_json),
        "deep nesting": Poison([b"[" * DEPTH + b"]" * DEPTH], not_json),
        "empty": Poison([b""], not_json),
        "tombstone": Poison([None], not_json),
        "two halves of a request": Poison([whole[:half], whole[half:]], not_json),
        "NaN": Poison(
            [legible(model, features={FEATURE: float("nan")})], WayOut(REFUSAL, "not_finite")
        ),
        "wrong shape": Poison([legible(model, inputs=[tensor])], WayOut(REFUSAL, "wrong_shape")),
        LARGE: Poison(
            [legible(model, padding="x" * TEN_MEGABYTES)], WayOut(DEAD_LETTER, "too_large")
        ),
    }


@dataclass
class Poisoner:
    """Sends poison of every kind in turn on the keys of a load."""

    connection: Connection
    topics: Topics
    model: str
    keys: int
    due: dict[Place, WayOut] = field(default_factory=dict)
    """Where each poisonous record lies, and the door by which it must leave."""
    sent: int = 0
    large: int = 0

    def __post_init__(self) -> None:
        self._publisher = Publisher(self.connection, "poisoner")
        self._kinds = cycle(poisons(self.model).items())
        self._numbers = count(1)

    def begin(self, *, large: int) -> None:
        """Count anew, with so many of the large kind to come."""
        self.sent, self.large = 0, large

    def send(self) -> None:
        """Send the next kind."""
        name, poison = next(self._kinds)
        if name == LARGE and not self.large:
            name, poison = next(self._kinds)
        self.large -= name == LARGE
        key = b"key-%d" % (self.sent % self.keys)

        def noted(delivered: Delivered) -> None:
            record = delivered.record
            self.due[Place(record.partition, record.offset)] = poison.way_out

        # An id that was sent before would be passed over.
        own = b'"poison-%d"' % next(self._numbers)
        for value in poison.values:
            mine = None if value is None else value.replace(b'"poison"', own)
            self._publisher.send(Outgoing(self.topics.requests, key, mine), noted)
            self.sent += 1

    def flush(self) -> None:
        self._publisher.flush()

    def ways_out(self) -> dict[Place, list[WayOut]]:
        """By which doors each of them left."""
        found: dict[Place, list[WayOut]] = {place: [] for place in self.due}
        for record in read_to_end(self.connection, exits(self.topics)):
            seen = sighting(record, self.topics)
            if seen.source not in found:
                continue
            code = cause_of(record).get("class.name", "")
            if seen.kind == REFUSAL:
                answer = decode_answer(record)
                assert isinstance(answer, ErrorAnswer)
                code = answer.code
            found[seen.source].append(WayOut(seen.kind, code))
        return found
