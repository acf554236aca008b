"""Poison records, which no worker can answer with a prediction, sent among good requests."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import NamedTuple

from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import DeliveryReport, Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode_response
from modstream.broker.wire.contracts import ErrorResponse
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.models.examples.echo import ECHO_FEATURE
from modstream.operations.verify.observer import exit_topics
from modstream.operations.verify.outcomes import (
    DEAD_LETTER,
    ERROR_RESPONSE,
    PartitionOffset,
    decode_outcome,
)

NESTING_DEPTH = 10_000
"""Ten times the limit of Python's parsers, in 20 kB: the nesting costs, not the size."""
TEN_MEGABYTES = 10 * 1024 * 1024
LARGE_POISON = "poison with 10 MB"


class RecordExit(NamedTuple):
    """The exit by which a record leaves a worker, and the error code."""

    kind: str
    code: str


class PoisonRecords(NamedTuple):
    """Values that are sent consecutively with one key, and the expected exit of each."""

    values: Sequence[bytes | None]
    expected_exit: RecordExit


def request_json(model: str, **facts: object) -> bytes:
    return json.dumps({"id": "poison", "model": model, **facts}).encode()


def poison_kinds(model: str) -> Mapping[str, PoisonRecords]:
    """Return all kinds of poison by name."""
    not_json = RecordExit(DEAD_LETTER, "not_json")
    tensor = {"name": ECHO_FEATURE, "shape": [2], "datatype": "FP32", "data": [1.0, 2.0, 3.0]}
    whole = request_json(model, features={ECHO_FEATURE: 1.0})
    half = len(whole) // 2
    return {
        "not JSON": PoisonRecords([b"\x00invalid\xff"], not_json),
        "deep nesting": PoisonRecords([b"[" * NESTING_DEPTH + b"]" * NESTING_DEPTH], not_json),
        "empty": PoisonRecords([b""], not_json),
        "tombstone": PoisonRecords([None], not_json),
        "two halves of a request": PoisonRecords([whole[:half], whole[half:]], not_json),
        "NaN": PoisonRecords(
            [request_json(model, features={ECHO_FEATURE: float("nan")})],
            RecordExit(ERROR_RESPONSE, "not_finite"),
        ),
        "wrong shape": PoisonRecords(
            [request_json(model, inputs=[tensor])], RecordExit(ERROR_RESPONSE, "wrong_shape")
        ),
        LARGE_POISON: PoisonRecords(
            [request_json(model, padding="x" * TEN_MEGABYTES)], RecordExit(DEAD_LETTER, "too_large")
        ),
    }


@dataclass
class PoisonProducer:
    """Sends all kinds of poison in turn, with the keys of a load."""

    connection: Connection
    topics: Topics
    model: str
    keys: int
    expected_exits: dict[PartitionOffset, RecordExit] = field(default_factory=dict)
    """The position of each poison record, and its expected exit."""
    sent: int = 0
    large: int = 0

    def __post_init__(self) -> None:
        self._publisher = Publisher(self.connection, "poison-producer")
        self._kinds = cycle(poison_kinds(self.model).items())
        self._numbers = count(1)

    def reset(self, *, large: int) -> None:
        """Reset the count, and allow `large` records of the large kind."""
        self.sent, self.large = 0, large

    def send(self) -> None:
        """Send the next kind of poison."""
        name, poison = next(self._kinds)
        if name == LARGE_POISON and not self.large:
            name, poison = next(self._kinds)
        self.large -= name == LARGE_POISON
        key = b"key-%d" % (self.sent % self.keys)

        def on_delivery(report: DeliveryReport) -> None:
            position = PartitionOffset(report.record.partition, report.record.offset)
            self.expected_exits[position] = poison.expected_exit

        # A repeated id would be skipped as a duplicate.
        own_id = b'"poison-%d"' % next(self._numbers)
        for value in poison.values:
            own_value = None if value is None else value.replace(b'"poison"', own_id)
            self._publisher.send(ProducerRecord(self.topics.requests, key, own_value), on_delivery)
            self.sent += 1

    def flush(self) -> None:
        self._publisher.flush()

    def actual_exits(self) -> dict[PartitionOffset, list[RecordExit]]:
        """Return the exits by which each poison record left."""
        exits: dict[PartitionOffset, list[RecordExit]] = {one: [] for one in self.expected_exits}
        for record in read_to_end(self.connection, exit_topics(self.topics)):
            outcome = decode_outcome(record, self.topics)
            if outcome.source not in exits:
                continue
            code = read_cause(record).get("class.name", "")
            if outcome.kind == ERROR_RESPONSE:
                response = decode_response(record)
                assert isinstance(response, ErrorResponse)
                code = response.code
            exits[outcome.source].append(RecordExit(outcome.kind, code))
        return exits
