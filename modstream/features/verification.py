"""Verification: the features that predictions carry, computed again from the recorded sources."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any, NamedTuple

import msgspec
import numpy as np

from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import read_offset_ranges, read_to_end
from modstream.broker.wire.features import expand_rows
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Header
from modstream.features.definitions import Definitions
from modstream.features.recovery import read_updates
from modstream.processors.aggregate.events import EventDecoder, key_text
from modstream.processors.aggregate.recount import Recount
from modstream.processors.aggregate.updates import UnknownUpdate, UpdateCodec
from modstream.processors.features.definition import KEY
from modstream.processors.features.reader import FeatureReader
from modstream.settings import Settings

MAX_EXAMPLES = 10


class ServedRow(NamedTuple):
    """A row of a prediction as it was answered; `position` is that of the features it saw."""

    position: int
    id: str
    time: int
    features: dict[str, Any]
    key: bytes | None


class Difference(NamedTuple):
    """A value that was served, and what the sources make of it."""

    id: str
    feature: str
    served: float | None
    recomputed: float | None


@dataclass(slots=True)
class Verification:
    """How many rows and values were compared, and which differ."""

    rows: int = 0
    values: int = 0
    differing: Counter[str] = field(default_factory=Counter)
    examples: list[Difference] = field(default_factory=list)

    def add(self, row: ServedRow, recomputed: Mapping[str, float]) -> None:
        """Compare a row with the values that the sources make, bit by bit."""
        self.rows += 1
        for name, value in recomputed.items():
            if name not in row.features:
                continue
            self.values += 1
            served = row.features[name]
            expected = None if value != value else value  # noqa: PLR0124 - NaN
            if served != expected:
                self.differing[name] += 1
                if len(self.examples) < MAX_EXAMPLES:
                    self.examples.append(Difference(row.id, name, served, expected))


class _Answer(msgspec.Struct):
    id: str
    features: Any = None
    event_time: int | None = None
    source: dict[str, Any] = {}


ANSWERS = msgspec.json.Decoder(_Answer)


def verify_features(settings: Settings, found: Definitions, stop: Event) -> Verification:
    """Compare every prediction that carries features of the stream with the recorded sources.

    A prediction says up to which offset of the topic of features it was made; the records there
    say how far each source was counted then. From these records of the sources alone, the
    features are computed again.

    Raises:
        TopicMissing: a topic does not exist.
    """
    topics, connection = settings.topics(), settings.connection
    decoder = EventDecoder(topics, found.features)
    codec = UpdateCodec(topics.features, found.features.aggregations)
    recount = Recount(found.features, decoder)
    for offset, update in read_updates(connection, topics.features, codec, stop):
        if not isinstance(update, UnknownUpdate):
            recount.note(offset, update)
    ends = Admin(connection).end_offsets(decoder.topics, committed=True)
    for partition, end in ends.items():
        ranges = {partition: (0, end)}
        recount.add_source(str(partition), read_offset_ranges(connection, partition.topic, ranges))
    return compare(found, recount, served_rows(settings))


def compare(found: Definitions, recount: Recount, rows: list[ServedRow]) -> Verification:
    """Compare rows with a recount, in the order of their positions."""
    verification, reader = Verification(), FeatureReader(recount.state)
    fields = sorted(found.features.request_fields)
    for row in sorted(rows, key=lambda one: one.position):
        recount.advance(row.position)
        fields_of = {**row.features, KEY: key_text(row.key)}
        columns = {name: [fields_of.get(name)] for name in fields}
        values = reader.values(columns, np.array([row.time], dtype=np.int64))
        verification.add(row, {name: float(column[0]) for name, column in values.items()})
    return verification


def served_rows(settings: Settings) -> list[ServedRow]:
    """Return the rows of all predictions that carry features of the stream."""
    connection, topics = settings.connection, settings.topics()
    found = []
    without_time: dict[TopicPartition, list[tuple[int, ServedRow]]] = {}
    for record in read_to_end(connection, [topics.predictions]):
        position = record.header(Header.FEATURES_AT)
        if position is None or record.value is None:
            continue
        answer = ANSWERS.decode(record.value)
        for row in _rows(answer.features):
            if answer.event_time is not None:
                found.append(
                    ServedRow(int(position), answer.id, answer.event_time, row, record.key)
                )
                continue
            source = TopicPartition(answer.source["topic"], answer.source["partition"])
            entry = (
                answer.source["offset"],
                ServedRow(int(position), answer.id, 0, row, record.key),
            )
            without_time.setdefault(source, []).append(entry)
    found += _timed(settings, without_time)
    return found


def _timed(
    settings: Settings,
    rows: Mapping[TopicPartition, list[tuple[int, ServedRow]]],
) -> Iterator[ServedRow]:
    """Yield rows of requests without an event time, with the timestamps of their records."""
    for partition, found in rows.items():
        offsets = [offset for offset, _ in found]
        ranges = {partition: (min(offsets), max(offsets) + 1)}
        records: Iterator[Record] = read_offset_ranges(settings.connection, partition.topic, ranges)
        times = {record.offset: record.timestamp for record in records}
        for offset, row in found:
            if offset in times:
                yield row._replace(time=times[offset])


def _rows(features: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as it stands in the prediction
    if features is None:
        return []
    rows = expand_rows(features)
    return [rows] if isinstance(rows, dict) else list(rows)
