"""The client for event loops, on a real stream with a thread that answers."""

import asyncio
from threading import Event, Thread

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader, read_to_end
from modstream.broker.wire.codec import KIND_ERROR, KIND_PREDICTION, decode, encode
from modstream.broker.wire.contracts import (
    ErrorResponse,
    Label,
    Prediction,
    Request,
    SourcePosition,
)
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Header
from modstream.producers.client.async_client import AsyncClient
from modstream.producers.errors import RequestRefused, ResponseTimeout

pytestmark = pytest.mark.real
REQUESTS = 300


@pytest.fixture
def stream(bootstrap, topics):
    connection = Connection(bootstrap)
    Admin(connection).create(topics.specs(2))
    stop = Event()
    thread = Thread(target=answer_all, args=(connection, topics, stop))
    thread.start()
    yield connection, topics
    stop.set()
    thread.join()


def answer_all(connection, topics, stop):
    """Answer each request by its feature; refuse negative ones, and ignore zero."""
    with Publisher(connection) as publisher, Reader(connection, [topics.requests]) as reader:
        while not stop.is_set():
            for record in reader.poll(0.05):
                request = decode(Request, record.value)
                x = request.features["x"]
                if x:
                    publisher.send(answer(topics, record, request, x))
            publisher.flush()


def answer(topics, record, request, x):
    source = SourcePosition(topic=record.topic, partition=record.partition, offset=record.offset)
    fields = {"id": request.id, "model": "m", "source": source}
    if x > 0:
        message, kind = Prediction(version=1, outputs={"value": x}, **fields), KIND_PREDICTION
    else:
        message, kind = ErrorResponse(code="negative", message="x", **fields), KIND_ERROR
    return ProducerRecord(topics.predictions, record.key, encode(message), ((Header.KIND, kind),))


def test_many_requests_are_awaited_at_once_and_each_gets_its_own_answer(stream):
    async def run():
        async with AsyncClient(*stream) as client:
            rows = [{"x": float(number + 1)} for number in range(REQUESTS)]
            return await asyncio.gather(*(client.predict(row, timeout=60) for row in rows))

    predictions = asyncio.run(run())
    assert [one.outputs["value"] for one in predictions] == list(range(1, REQUESTS + 1))


def test_a_refusal_a_timeout_and_a_label_are_those_of_the_client(stream):
    connection, topics = stream

    async def run():
        async with AsyncClient(connection, topics) as client:
            with pytest.raises(RequestRefused, match="negative"):
                await client.predict({"x": -1.0}, timeout=60)
            with pytest.raises(ResponseTimeout):
                await client.predict({"x": 0.0}, timeout=0.1)
            pending = client.client.send({"x": 1.0}, key="k")
            answers = await client.wait_all(pending, ["m"], 60)
            await client.label(pending, 2.0, 5)
            return pending, answers

    pending, answers = asyncio.run(run())
    assert answers["m"].outputs == {"value": 1.0}
    (record,) = read_to_end(connection, [topics.labels])
    assert (record.key, decode(Label, record.value).id) == (b"k", pending.id)
