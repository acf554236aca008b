"""A stream in memory whose worker answers at once, and the flights."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Condition, Event

import pandas as pd
import pytest

from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Delivered, Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.errors import ContractViolated, DecodeError
from modstream.broker.loop.in_memory import MemoryBroker
from modstream.broker.wire.codec import ERROR as IS_ERROR
from modstream.broker.wire.codec import PREDICTION, decode, encode
from modstream.broker.wire.contracts import ErrorAnswer, Prediction, Request, Source
from modstream.broker.wire.dead_letters import dead_letter
from modstream.broker.wire.records import Outgoing, Record
from modstream.broker.wire.topics import Header, Topics
from modstream.producers.ports import arrivals
from modstream.producers.replay.flights import FEATURES, Flight, load_flights

MOST_BYTES = 1_000_000

Worker = Callable[[Record], Iterable[Outgoing]]


def silent(_: Record) -> Iterable[Outgoing]:
    return ()


@dataclass
class MemoryStream:
    """A sink and a source over the in-memory broker; `worker` answers whatever is sent."""

    topics: Topics
    worker: Worker = silent
    broker: MemoryBroker = field(default_factory=lambda: MemoryBroker(partitions=1))
    flushes: list[float] = field(default_factory=list)
    _read: dict[str, int] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    def send(
        self, outgoing: Outgoing, delivered: Callable[[Delivered], None] | None = None
    ) -> None:
        record = self.broker.append(outgoing)
        if delivered is not None:
            delivered(Delivered(outgoing, record, None))
        answers = list(self.worker(record))
        with self._changed:
            for answer in answers:
                self.broker.append(answer)
            self._changed.notify_all()

    def flush(self, timeout: float = 30.0) -> None:
        self.flushes.append(timeout)

    def poll(self, timeout: float = 0.1, most: int = 1000) -> list[Record]:
        with self._changed:
            self._changed.wait_for(self._unread, timeout)
            found = self._unread()[:most]
        for record in found:
            self._read[record.topic] = record.offset + 1
        return found

    def _unread(self) -> list[Record]:
        topics = (self.topics.predictions, self.topics.dlq)
        return [r for t in topics for r in self.broker.read(t)[self._read.get(t, 0) :]]


def answering(topics: Topics, *models: str) -> Worker:
    """A worker of those models: predicts what it can read, refuses what it cannot."""

    def answers(record: Record) -> Iterable[Outgoing]:
        source = Source(topic=record.topic, partition=record.partition, offset=record.offset)
        headers = tuple((n, v) for n, v in record.headers if n == "correlation-id")

        def refusal(request_id: str, code: str) -> Outgoing:
            answer = ErrorAnswer(id=request_id, code=code, message="refused", source=source)
            marked = (*headers, (Header.KIND.value, IS_ERROR))
            return Outgoing(topics.predictions, record.key, encode(answer), marked)

        def prediction(request_id: str, model: str) -> Outgoing:
            answer = Prediction(
                id=request_id, model=model, version=1, outputs={"score": 0.5}, source=source
            )
            marked = (*headers, (Header.KIND.value, PREDICTION))
            return Outgoing(topics.predictions, record.key, encode(answer), marked)

        try:
            request = decode(Request, record.value, MOST_BYTES)
        except DecodeError as error:
            known = error.request_id if isinstance(error, ContractViolated) else None
            dead = dead_letter(record, topics.dlq, error, "decode")
            return [refusal(known, error.code) if known else dead]
        if request.model is None:
            return [prediction(request.id, model) for model in models]
        if request.model in models:
            return [prediction(request.id, request.model)]
        return [refusal(request.id, "unknown_model")]

    return answers


@pytest.fixture
def topics(prefix) -> Topics:
    return Topics("flights", prefix)


@pytest.fixture
def make_worker() -> Callable[..., Worker]:
    """Make a worker of a stream's topics and the models of its route."""
    return answering


@pytest.fixture
def stream(topics) -> MemoryStream:
    """A stream whose worker answers every request at once."""
    return MemoryStream(topics, answering(topics, "online"))


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """All the flights."""
    return load_flights()


@pytest.fixture
def make_flight() -> Callable[..., Flight]:
    """Make a flight, by minutes of event time; without `landed` it never lands."""

    def make(name: str, scheduled: int, landed: int | None = None) -> Flight:
        features: dict[str, str | float] = dict.fromkeys(FEATURES, 1.0)
        return Flight(
            id=name,
            key=f"key-of-{name}",
            features=features | {"carrier": "UA", "origin": "EWR", "dest": "IAH"},
            scheduled_ms=scheduled * 60_000,
            landed_ms=None if landed is None else landed * 60_000,
            late=None if landed is None else True,
        )

    return make


@pytest.fixture
def answering_kafka(bootstrap, make_worker) -> Callable[..., AbstractContextManager[None]]:
    """Answer a real stream's requests in a thread for as long as the context is open."""

    @contextmanager
    def answer(topics: Topics, *models: str) -> Iterator[None]:
        worker, stop = make_worker(topics, *models), Event()
        connection = Connection(bootstrap)
        with (
            Reader(connection, [topics.requests]) as reader,
            Publisher(connection) as publisher,
            ThreadPoolExecutor(1) as pool,
        ):
            answering = pool.submit(_serve, reader, publisher, worker, stop)
            try:
                yield
            finally:
                stop.set()
            answering.result()

    return answer


def _serve(reader: Reader, publisher: Publisher, worker: Worker, stop: Event) -> None:
    while not stop.is_set():
        for record in arrivals(reader, 0.05):
            for answer in worker(record):
                publisher.send(answer)
    publisher.flush()
