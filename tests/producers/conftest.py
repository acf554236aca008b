"""An in-memory stream whose worker responds at once, and the flights data set."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Condition, Event

import pandas as pd
import pytest

from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import DeliveryReport, Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.errors import ContractViolated, DecodeError
from modstream.broker.loop.in_memory import MemoryBroker
from modstream.broker.wire.codec import KIND_ERROR, KIND_PREDICTION, decode, encode
from modstream.broker.wire.contracts import ErrorResponse, Prediction, Request, SourcePosition
from modstream.broker.wire.dead_letters import build_dead_letter
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import Header, Topics
from modstream.producers.ports import poll_available
from modstream.producers.replay.flights import FEATURES, Flight, load_flights

MAX_BYTES = 1_000_000

Worker = Callable[[Record], Iterable[ProducerRecord]]


def no_responses(_: Record) -> Iterable[ProducerRecord]:
    return ()


@dataclass
class MemoryStream:
    """A sink and a source on the in-memory broker; `worker` makes the responses."""

    topics: Topics
    worker: Worker = no_responses
    broker: MemoryBroker = field(default_factory=lambda: MemoryBroker(partitions=1))
    flushes: list[float] = field(default_factory=list)
    _read: dict[str, int] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    def send(
        self, record: ProducerRecord, on_delivery: Callable[[DeliveryReport], None] | None = None
    ) -> None:
        stored = self.broker.append(record)
        if on_delivery is not None:
            on_delivery(DeliveryReport(record, stored, None))
        responses = list(self.worker(stored))
        with self._changed:
            for response in responses:
                self.broker.append(response)
            self._changed.notify_all()

    def flush(self, timeout: float = 30.0) -> None:
        self.flushes.append(timeout)

    def poll(self, timeout: float = 0.1, max_records: int = 1000) -> list[Record]:
        with self._changed:
            self._changed.wait_for(self._unread, timeout)
            found = self._unread()[:max_records]
        for record in found:
            self._read[record.topic] = record.offset + 1
        return found

    def _unread(self) -> list[Record]:
        topics = (self.topics.predictions, self.topics.dlq)
        return [r for t in topics for r in self.broker.read(t)[self._read.get(t, 0) :]]


def worker_of(topics: Topics, *models: str) -> Worker:
    """Return a worker of these models that predicts valid requests and refuses invalid ones."""

    def respond(record: Record) -> Iterable[ProducerRecord]:
        source = SourcePosition(
            topic=record.topic, partition=record.partition, offset=record.offset
        )
        headers = tuple((n, v) for n, v in record.headers if n == "correlation-id")

        def error(request_id: str, code: str) -> ProducerRecord:
            response = ErrorResponse(id=request_id, code=code, message="refused", source=source)
            all_headers = (*headers, (Header.KIND.value, KIND_ERROR))
            return ProducerRecord(topics.predictions, record.key, encode(response), all_headers)

        def prediction(request_id: str, model: str) -> ProducerRecord:
            response = Prediction(
                id=request_id, model=model, version=1, outputs={"score": 0.5}, source=source
            )
            all_headers = (*headers, (Header.KIND.value, KIND_PREDICTION))
            return ProducerRecord(topics.predictions, record.key, encode(response), all_headers)

        try:
            request = decode(Request, record.value, MAX_BYTES)
        except DecodeError as failure:
            known = failure.request_id if isinstance(failure, ContractViolated) else None
            dead = build_dead_letter(record, topics.dlq, failure, "decode")
            return [error(known, failure.code) if known else dead]
        if request.model is None:
            return [prediction(request.id, model) for model in models]
        if request.model in models:
            return [prediction(request.id, request.model)]
        return [error(request.id, "unknown_model")]

    return respond


@pytest.fixture
def topics(prefix) -> Topics:
    return Topics("flights", prefix)


@pytest.fixture
def make_worker() -> Callable[..., Worker]:
    """Make a worker for a stream's topics and the models of its route."""
    return worker_of


@pytest.fixture
def stream(topics) -> MemoryStream:
    """A stream whose worker responds to every request at once."""
    return MemoryStream(topics, worker_of(topics, "online"))


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """All flights of the data set."""
    return load_flights()


@pytest.fixture
def make_flight() -> Callable[..., Flight]:
    """Make a flight, with times in minutes; without `landed` it never lands."""

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
def kafka_worker(bootstrap, make_worker) -> Callable[..., AbstractContextManager[None]]:
    """Respond to the requests of a real stream, in a thread, while the context is open."""

    @contextmanager
    def run_worker(topics: Topics, *models: str) -> Iterator[None]:
        worker, stop = make_worker(topics, *models), Event()
        connection = Connection(bootstrap)
        with (
            Reader(connection, [topics.requests]) as reader,
            Publisher(connection) as publisher,
            ThreadPoolExecutor(1) as pool,
        ):
            serving = pool.submit(_serve, reader, publisher, worker, stop)
            try:
                yield
            finally:
                stop.set()
            serving.result()

    return run_worker


def _serve(reader: Reader, publisher: Publisher, worker: Worker, stop: Event) -> None:
    while not stop.is_set():
        for record in poll_available(reader, 0.05):
            for response in worker(record):
                publisher.send(response)
    publisher.flush()
