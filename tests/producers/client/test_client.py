"""The client on a stream: predictions, errors, timeouts and labels."""

from time import monotonic

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.errors import TopicMissing
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Label
from modstream.producers.client import client as client_module
from modstream.producers.client.client import Client
from modstream.producers.errors import RequestRefused, ResponseTimeout

ROW = {"distance": 1400.0, "carrier": "UA"}


class BrokenReader:
    """A reader whose poll fails with an error that is not a BrokerError."""

    def __init__(self, *_arguments, **_options):
        pass

    def poll(self, **_options):
        raise ValueError("the response cannot be read")

    def close(self):
        pass


class SilentPublisher:
    """A publisher that drops every record."""

    def __init__(self, *_arguments):
        pass

    def send(self, *_arguments):
        pass

    def close(self):
        pass


def test_an_unexpected_error_in_the_polling_thread_is_raised_by_wait(monkeypatch, topics):
    monkeypatch.setattr(client_module, "Reader", BrokenReader)
    monkeypatch.setattr(client_module, "Publisher", SilentPublisher)

    with (
        Client(Connection("unused:1"), topics) as client,
        pytest.raises(ValueError, match="cannot be read"),
    ):
        client.wait(client.send(ROW), timeout=5)


def test_the_producer_connects_while_the_reader_looks_up_its_offsets(monkeypatch, topics):
    """A producer that sends at once waits 500 ms for its id, and so would the first request."""
    created = []

    class NotedPublisher(SilentPublisher):
        def __init__(self, *_arguments):
            created.append("publisher")

    class NotedReader(BrokenReader):
        def __init__(self, *_arguments, **_options):
            created.append("reader")

    monkeypatch.setattr(client_module, "Reader", NotedReader)
    monkeypatch.setattr(client_module, "Publisher", NotedPublisher)

    Client(Connection("unused:1"), topics).close()

    assert created == ["publisher", "reader"]


def test_a_traced_request_carries_its_context_and_so_does_its_label(monkeypatch, topics):
    parents = iter([b"00-%032x-%016x-01" % (7, number) for number in (1, 2)])
    traced, sent = [], []

    class NotedPublisher(SilentPublisher):
        def send(self, record, _on_delivery=None):
            sent.append(record)

        def poll(self):
            pass

    def trace_send(record, on_delivery):
        traced.append(record.headers)
        return record._replace(headers=(("traceparent", next(parents)),)), on_delivery

    monkeypatch.setattr(client_module, "Reader", BrokenReader)
    monkeypatch.setattr(client_module, "Publisher", NotedPublisher)
    client = Client(Connection("unused:1"), topics, trace_send=trace_send)
    pending = client.send(ROW)
    client.label(pending, value=True, event_time=1)
    client.close()

    assert pending.trace == sent[0].headers
    assert traced == [(), pending.trace]
    assert [record.headers[0][1][-5:] for record in sent] == [b"01-01", b"02-01"]


@pytest.fixture
def connection(bootstrap, topics):
    connection = Connection(bootstrap)
    Admin(connection).create(topics.specs(4))
    return connection


@pytest.fixture
def route(connection, topics, kafka_worker):
    """A stream with the responses of two models."""
    with kafka_worker(topics, "frozen", "online"):
        yield


@pytest.mark.real
def test_a_request_sent_at_once_gets_its_prediction(connection, topics, route):
    with Client(connection, topics) as client:
        prediction = client.wait(client.send(ROW))

    assert prediction.outputs == {"score": 0.5}


@pytest.mark.real
def test_wait_returns_the_response_of_the_primary_model(connection, topics, route):
    with Client(connection, topics, primary="online") as client:
        unnamed = client.wait(client.send(ROW, id="r-1"))
        named = client.wait(client.send(ROW, id="r-2", model="frozen", version=1))

    assert (unnamed.id, unnamed.model) == ("r-1", "online")
    assert (named.id, named.model) == ("r-2", "frozen")


@pytest.mark.real
def test_all_models_of_a_route_can_be_waited_for(connection, topics, route):
    with Client(connection, topics) as client:
        found = client.wait_all(client.send(ROW), ["online", "frozen"])

    assert {name: response.model for name, response in found.items()} == {
        "online": "online",
        "frozen": "frozen",
    }


@pytest.mark.real
def test_each_of_five_hundred_requests_in_flight_gets_its_own_response(connection, topics, route):
    with Client(connection, topics, primary="online") as client:
        pending = [client.send(ROW, key=f"key-{n % 7}") for n in range(500)]
        answered = [client.wait(one).id for one in pending]

    assert answered == [one.id for one in pending]


@pytest.mark.real
def test_a_refusal_is_raised_with_its_code(connection, topics, route):
    with (
        Client(connection, topics) as client,
        pytest.raises(RequestRefused, match="refuse") as caught,
    ):
        client.wait(client.send(ROW, model="refuse"))

    assert caught.value.code == "unknown_model"


@pytest.mark.real
def test_waiting_times_out_on_a_stream_without_workers(connection, topics):
    with Client(connection, topics) as client:
        started = monotonic()
        with pytest.raises(ResponseTimeout):
            client.wait(client.send(ROW), timeout=0.3)

    assert monotonic() - started < 5


@pytest.mark.real
def test_a_label_has_the_key_of_its_request(connection, topics):
    with Client(connection, topics) as client:
        pending = client.send(ROW, id="r-1", key="UA-1")
        client.label(pending, value=True, event_time=42)
        client.label("r-2", value=False, event_time=43)
        client.label("r-3", value=False, event_time=44, key="UA-3", row=2)
        client.flush()

    labels = {r.key: decode(Label, r.value) for r in read_to_end(connection, [topics.labels])}
    assert labels == {
        b"UA-1": Label(id="r-1", label=True, event_time=42),
        b"r-2": Label(id="r-2", label=False, event_time=43),
        b"UA-3": Label(id="r-3", row=2, label=False, event_time=44),
    }


@pytest.mark.real
def test_a_client_of_a_stream_without_topics_raises_topic_missing(bootstrap, topics):
    with pytest.raises(TopicMissing, match=topics.predictions):
        Client(Connection(bootstrap), topics)
