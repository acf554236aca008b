"""Recorded requests, scored again by a version of one's choice. Joins no group, writes nothing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode, decode_answer
from modstream.broker.wire.contracts import ErrorAnswer, Label, Prediction
from modstream.broker.wire.features import Scalar
from modstream.broker.wire.records import Outgoing, Record
from modstream.broker.wire.topics import Header, Topics
from modstream.errors import NothingToCompare
from modstream.models.errors import ModelNotFound
from modstream.models.schema.card import ModelCard
from modstream.models.serving.loaded_models import Loaded
from modstream.operations.backtest.compare import (
    Comparison,
    Pair,
    Place,
    Said,
    compare,
    pairs,
    single_rows,
)
from modstream.operations.offset_ranges import Notice, read, spans
from modstream.operations.redrive import batches
from modstream.processors.predict.handler import Predict
from modstream.processors.predict.model_resolver import PredictSettings, Timing

BATCH = 2000
"""Requests that are scored at once."""
CLOCKS_MS = 600_000
"""How far the clock of a client may be ahead of the brokers', whose clock stamps the answers."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A shelf with one version on it, which answers for some models whatever version is asked."""

    loaded: Loaded
    models: frozenset[str]

    def get(self, name: str, ref: int | str = "champion") -> Loaded:
        """The one version.

        Raises:
            ModelNotFound: a request asks another model, whose answers are not in question.
        """
        if name not in self.models:
            raise ModelNotFound(name, ref)
        return self.loaded


class Stretch(NamedTuple):
    """What is replayed: requests from `since` to before `until` (ms); None is no bound."""

    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay came to.

    `requests` counts the records of the time, `answered` those that the replayed version
    answered, `refused` by code those that it did not; `unmatched` ones of the answered have no
    recorded prediction by the model they are held `against`.
    """

    card: ModelCard
    against: str
    requests: int
    answered: int
    refused: dict[str, int]
    unmatched: int
    pairs: list[Pair]
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Replay:
    """One stream's requests, its recorded answers and its labels.

    The order of a replay:
      1. read the requests of the time and answer them, by the worker's own handler
      2. read the recorded answers of the model they are held against
      3. read the labels, of which the highest revision counts
      4. compare
    """

    connection: Connection
    topics: Topics
    largest: int
    notice: Notice = lambda _doing, _count, _total: None

    def run(self, loaded: Loaded, against: str, stretch: Stretch, threshold: float) -> Outcome:
        """Replay a version against the recorded answers of a model, which may be its own.

        Raises:
            NothingToCompare: no request of that time has an answer of both.
            BrokerError: reading failed.
        """
        scored = self.score(loaded, against, stretch)  # Step 1.
        served = self._served(against, scored.said, stretch.since)  # Step 2.
        task = loaded.card.task
        labels = self._labels(stretch.since)  # Step 3.
        found = list(pairs(task, served, scored.said, labels))
        if not found:
            raise NothingToCompare(scored.requests, against)
        return Outcome(
            card=loaded.card,
            against=against,
            requests=scored.requests,
            answered=len(scored.said),
            refused=dict(scored.refused.most_common()),
            unmatched=len(scored.said.keys() - served.keys()),
            pairs=found,
            comparison=compare(task, found, threshold),  # Step 4.
        )

    def score(self, loaded: Loaded, against: str, stretch: Stretch) -> "Scored":
        """Answer the requests that ask a model, by any of its versions, with this one."""
        shelf = Pinned(loaded, frozenset({against, loaded.card.name}))
        settings = PredictSettings((against,), self.largest, record_features=False)
        # At the epoch no deadline has passed: what is asked is what would have been answered.
        handle = Predict(self.topics, shelf, settings, timing=Timing(lambda: 0.0))
        scored = Scored({}, Counter())
        wanted = spans(Admin(self.connection), [self.topics.requests], *stretch)
        for batch in batches(read(self.connection, wanted, self.notice), BATCH):
            scored.add(len(batch), handle(batch), shelf.models)
        return scored

    def _served(self, model: str, asked: dict[Place, Said], since: int | None) -> dict[Place, Said]:
        """The recorded predictions of a model for the requests that were replayed."""
        found: dict[Place, Said] = {}
        prefix = f"{model}/".encode()
        for record in self._since(self.topics.predictions, since):
            if not (record.header(Header.MODEL) or b"").startswith(prefix):
                continue
            said = readable(record)
            if isinstance(said, Prediction) and said.source.topic == self.topics.requests:
                place = Place(said.source.partition, said.source.offset)
                if place in asked:
                    found.setdefault(place, said_in(said))
        return found

    def _labels(self, since: int | None) -> dict[str, Scalar]:
        newest: dict[str, Label] = {}
        for record in self._since(self.topics.labels, since):
            try:
                label = decode(Label, record.value)
            except DecodeError:
                continue
            known = newest.get(label.id)
            if known is None or label.revision >= known.revision:
                newest[label.id] = label
        return {name: label.label for name, label in newest.items()}

    def _since(self, topic: str, since: int | None) -> Iterator[Record]:
        begin = None if since is None else max(0, since - CLOCKS_MS)
        return read(self.connection, spans(Admin(self.connection), [topic], begin), self.notice)


@dataclass(slots=True)
class Scored:
    """What a version answered, by the request's place, and what it refused, by code."""

    said: dict[Place, Said]
    refused: Counter[str]
    requests: int = 0

    def add(self, requests: int, outgoing: Iterable[Outgoing], models: frozenset[str]) -> None:
        """Take what the handler made of some requests."""
        self.requests += requests
        for record in outgoing:
            said = readable(as_read(record))
            if isinstance(said, Prediction):
                self.said[Place(said.source.partition, said.source.offset)] = said_in(said)
            elif isinstance(said, ErrorAnswer) and said.model in models:
                self.refused[said.code] += 1


def as_read(outgoing: Outgoing) -> Record:
    """A record as it would be read, had it been written."""
    return Record(outgoing.topic, 0, 0, outgoing.key, outgoing.value, outgoing.headers)


def readable(record: Record) -> Prediction | ErrorAnswer | None:
    """The answer in a record, or None where there is none, as in a dead letter."""
    try:
        return decode_answer(record)
    except DecodeError:
        return None


def said_in(prediction: Prediction) -> Said:
    """What a prediction says, row by row."""
    return Said(prediction.id, prediction.version, single_rows(prediction.outputs))


def listed(found: Sequence[Pair]) -> Iterator[dict[str, object]]:
    """Pairs as flat mappings, for a file."""
    for pair in found:
        flat = pair._asdict()
        place = flat.pop("place")
        yield {"id": flat.pop("id"), **place._asdict(), **flat}
