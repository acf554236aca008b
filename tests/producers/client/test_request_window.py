"""A window of requests: answers in order, a bounded number in flight, and repeated requests."""

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.wire.contracts import ErrorResponse, Prediction, Request, SourcePosition
from modstream.producers.client.client import Client
from modstream.producers.client.pending_requests import PendingRequest
from modstream.producers.client.request_window import RequestWindow
from modstream.producers.errors import ResponseTimeout

SOURCE = SourcePosition(topic="flights.requests", partition=0, offset=0)


def predicted(request_id, model):
    return Prediction(id=request_id, model=model, version=1, outputs={}, source=SOURCE)


class ScriptedClient:
    """A client whose requests are answered while they are waited for.

    `models` answer, except for the first `loading` requests, whose model is being loaded.
    """

    def __init__(self, *models, loading=0):
        self.models = models
        self.loading = loading
        self.sent = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.waited_for = []

    def submit(self, request, key=None):
        pending = PendingRequest(request.id, key or request.id, request.model)
        self.sent.append(request.id)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return pending

    def wait_first(self, pending, timeout):
        self.in_flight -= 1
        if self.loading:
            self.loading -= 1
            pending.responses["slow"] = ErrorResponse(
                id=pending.id, code="model_loading", message="", model="slow", source=SOURCE
            )
        elif not self.models:
            raise ResponseTimeout(pending.id, timeout)
        else:
            for model in self.models:
                pending.responses[model] = predicted(pending.id, model)
        return pending.response_of(None)

    def wait_all(self, pending, models, timeout):
        self.waited_for.append(tuple(models))
        raise ResponseTimeout(pending.id, timeout)


def requests(count):
    return [Request(id=f"r-{number}", features={"x": 1}) for number in range(count)]


def test_answers_come_in_the_order_of_the_requests_and_few_are_in_flight():
    client = ScriptedClient("online")

    answers = list(RequestWindow(client, ["online"], size=3).ask(requests(10)))

    assert [answer.request.id for answer in answers] == [f"r-{number}" for number in range(10)]
    assert [answer.response.id for answer in answers] == client.sent
    assert client.most_in_flight == 3


def test_the_answer_is_that_of_the_first_model_although_another_one_answered_before():
    client = ScriptedClient("frozen", "online")

    (answer,) = RequestWindow(client, ["online", "frozen"]).ask(requests(1))

    assert answer.response.model == "online"
    assert set(answer.pending.responses) == {"online", "frozen"}


def test_a_model_that_is_not_on_the_route_is_waited_for_once():
    client = ScriptedClient("frozen")

    answers = list(RequestWindow(client, ["online"]).ask(requests(3)))

    assert [answer.response.model for answer in answers] == ["frozen"] * 3
    assert client.waited_for == [("online",)]


def test_a_request_to_a_model_that_is_being_loaded_is_repeated_under_another_id():
    client = ScriptedClient("slow", loading=2)

    (answer,) = RequestWindow(client, ["slow"]).ask(requests(1))

    assert client.sent == ["r-0", "r-0.2", "r-0.3"]
    assert (answer.request.id, answer.response.id) == ("r-0", "r-0.3")


def test_a_model_that_is_loaded_for_too_long_is_the_answer():
    client = ScriptedClient(loading=1000)

    (answer,) = RequestWindow(client, ["slow"], timeout=0.3).ask(requests(1))

    assert answer.response.code == "model_loading"


def test_a_timeout_names_the_request_and_the_whole_timeout():
    window = RequestWindow(ScriptedClient(), timeout=0.5)

    with pytest.raises(ResponseTimeout, match=r"r-0 within 0\.5 s"):
        list(window.ask(requests(3)))

    assert window.waiting_for.id == "r-0"


@pytest.mark.real
def test_hundreds_of_requests_are_answered_in_order_on_kafka(bootstrap, topics, kafka_worker):
    connection = Connection(bootstrap)
    Admin(connection).create(topics.specs(4))
    with kafka_worker(topics, "online"), Client(connection, topics) as client:
        answers = list(RequestWindow(client, ["online"], size=50).ask(requests(300)))

    assert [answer.response.id for answer in answers] == [f"r-{number}" for number in range(300)]
    for answer in answers:
        (arrival,) = answer.pending.arrivals.values()
        assert answer.pending.record.topic_partition.topic == topics.requests
        assert arrival.record.topic == topics.predictions
        assert arrival.record.partition == answer.pending.record.partition
        assert answer.pending.sent_at <= arrival.received_at
