"""A partition of the joiner that is fed with entries and records, without Kafka."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple, Self

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import (
    JoinedPrediction,
    Label,
    Prediction,
    SourcePosition,
)
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.processors.join.entry import ENTRY_ADAPTER, JoinEntry
from modstream.processors.join.entry_store import ChangelogRow, EntryStore, OffsetRange
from modstream.processors.join.partition import PartitionJoin
from modstream.processors.join.settings import JoinerSettings

MODELS = ("online", "frozen")
BEGIN_MS = 1_700_000_000_000
GOLDEN_RATIO = 0x9E3779B97F4A7C15
"""Multiplied by this, consecutive numbers become ids in no order."""
TOPICS = Topics("flights")
SOURCE = SourcePosition(topic=TOPICS.requests, partition=0, offset=0)
AIRPORTS = ("ATL", "DFW", "JFK", "LAX", "ORD", "SFO")
SAMPLES = 2000
"""Number of entries whose content is drawn; the others repeat theirs."""
ENTRY_SIZE = 700
"""The joiner's estimate of the size of such an entry: that of its prediction."""


class Feed:
    """One partition, whose requests are a millisecond apart and expire `horizon` ms later.

    What goes to the changelog is only counted.
    """

    def __init__(self, number: int, horizon: int, store: EntryStore | None = None) -> None:
        limits = JoinerSettings().limits
        self.join = PartitionJoin(TOPICS, horizon, 0, limits, number=number, entries=store)
        self._number = number
        self._requests = 0
        self._changelog_end = 0
        random = Random(number)
        self._samples = [Sample.draw(random) for _ in range(SAMPLES)]
        self._ends = dict.fromkeys((TOPICS.predictions, TOPICS.labels), 0)

    def load(self, count: int, random: Random) -> None:
        """Load open entries, whose features are those of the samples."""
        store, rows = self.join.store, []
        for request in self._take(count):
            sample = self._samples[random.randrange(len(self._samples))]
            name = self._name(request)
            entry = replace(sample.entry, id=name, event_time=BEGIN_MS + request)
            store.put(name, entry)
            begin = b'{"id":"%b","event_time":%d,' % (name.encode(), BEGIN_MS + request)
            rows.append((name.encode(), begin + sample.end))
        self._commit(rows)

    def predict(self, count: int, random: Random) -> None:
        """Join the predictions of new requests."""
        self.process(self.predictions(count, random))

    def label(self, count: int, random: Random) -> None:
        """Join labels of random requests."""
        self.process(self.labels(count, random))

    def process(self, records: Sequence[Record]) -> None:
        """Join records, and commit what comes of them."""
        output = self.join.process(records[0].topic, records[-1].offset + 1, records)
        self._commit(output.changelog_rows)

    def predictions(self, count: int, random: Random) -> list[Record]:
        """Return the predictions of new requests by two models."""
        found = []
        for request in self._take(count):
            for model in MODELS:
                message = Prediction(
                    id=self._name(request),
                    model=model,
                    version=7,
                    outputs=_outputs(random),
                    features=_features(random) if model == MODELS[0] else None,
                    event_time=BEGIN_MS + request,
                    source=SOURCE,
                )
                found.append(self._record(TOPICS.predictions, request, message))
        return found

    def labels(self, count: int, random: Random) -> list[Record]:
        """Return the labels of random requests, as of now."""
        now = BEGIN_MS + self._requests - 1
        found = []
        for _ in range(count):
            request = random.randrange(self._requests)
            label = Label(id=self._name(request), label=True, event_time=now)
            found.append(self._record(TOPICS.labels, request, label))
        return found

    def _commit(self, rows: Sequence[ChangelogRow]) -> None:
        start, self._changelog_end = self._changelog_end, self._changelog_end + len(rows)
        self.join.store.commit(rows, OffsetRange(start, self._changelog_end))

    def _take(self, count: int) -> range:
        start, self._requests = self._requests, self._requests + count
        return range(start, self._requests)

    def _record(self, topic: str, request: int, message: Prediction | Label) -> Record:
        offset, self._ends[topic] = self._ends[topic], self._ends[topic] + 1
        key = self._name(request).encode()
        return Record(topic, self._number, offset, key, encode(message), (), BEGIN_MS + request)

    def _name(self, request: int) -> str:
        return f"{request * GOLDEN_RATIO % 2**64:016x}{self._number:04x}{request:012x}"


class Sample(NamedTuple):
    """An entry, and its value in the changelog behind the id and the event time."""

    entry: JoinEntry
    end: bytes

    @classmethod
    def draw(cls, random: Random) -> Self:
        """Return the entry of a request that two models have answered."""
        predictions = tuple(
            JoinedPrediction.model_construct(model=model, version=7, outputs=_outputs(random))
            for model in MODELS
        )
        entry = JoinEntry(
            "",
            rows=1,
            predictions=predictions,
            features=_features(random),
            models=MODELS,
            size=ENTRY_SIZE,
        )
        value = ENTRY_ADAPTER.dump_json(entry, exclude_defaults=True)
        return cls(entry, value.removeprefix(b'{"id":"",'))


def _outputs(random: Random) -> dict[str, object]:
    probability = round(random.random(), 6)
    return {"label": probability > 0.5, "probability": probability}


def _features(random: Random) -> dict[str, str | float | bool | None]:
    return {
        "carrier": random.choice(("AA", "B6", "DL", "UA", "WN")),
        "origin": random.choice(AIRPORTS),
        "destination": random.choice(AIRPORTS),
        "hour": random.randrange(24),
        "month": random.randrange(12),
        "distance": float(random.randrange(3000)),
        "wind": round(random.random() * 40, 1),
        "visibility": round(random.random() * 10, 1),
        "pressure": round(990 + random.random() * 40, 1),
        "night": random.random() < 0.3,
    }
